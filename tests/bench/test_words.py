"""Words of the command line: names that are unknown, cells, files of --add; the order of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.contestants import ALL, choose, read_peers
from bench.growth import DEFAULT_SERIES, SERIES
from bench.races import Options, plan
from bench.slots import DEFAULT_CELLS, SLOTS, Cell, Unknown, parse_cells, read_answer
from tests.docs.pages import ROOT, section


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--peers", "fastappi"], "no peer is called 'fastappi'; peers: ours, aws-sync, "),
        (["--cells", "cvs:1"], "no cell is called 'cvs'; there are: csv, json, batch, rf, ner, start, memory"),
        (["--cells", "csv"], "'csv' is not a cell; write it like csv:1,64 or csv:2"),
        (["--cells", "csv:0"], "'csv:0' is not a cell"),
        (["--add", "no-such-file.json"], "no-such-file.json: FileNotFoundError"),
    ],
)
def test_an_unknown_word_is_told_and_exit_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"bench: {told}")


def test_cells_are_slots_and_numbers() -> None:
    assert parse_cells("csv:1, 64; rf:8;csv:1") == [Cell("csv", 1), Cell("csv", 64), Cell("rf", 8)]
    assert {cell.slot for cell in parse_cells(DEFAULT_CELLS)} == set(SLOTS)
    assert {cell.slot for cell in parse_cells(DEFAULT_SERIES, SERIES)} == set(SERIES)


def test_no_word_means_everyone() -> None:
    assert choose("") == ALL
    assert [peer.name for peer in choose("limit,ours,limit")] == ["nginx-static", "in-process", "ours"]


def test_an_added_peer_speaks_sagemakers_forms_but_for_its_own(tmp_path: Path) -> None:
    own = {"path": "/v1", "content_type": "application/json", "payload": "v2.json", "answer": "json"}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "command": "run {port}", "forms": {"rf": own, "ner": None}}))
    (peer,) = read_peers(path)
    assert (peer.forms["csv"].path, peer.forms["rf"].path, "ner" in peer.forms) == ("/invocations", "/v1", False)


def test_the_example_of_the_page_is_a_server(tmp_path: Path) -> None:
    (block,) = section(ROOT / "docs/performance.md", "How it is measured").blocks("json")
    (tmp_path / "mine.json").write_text(block)
    (peer,) = read_peers(tmp_path / "mine.json")
    assert (peer.name, set(peer.forms)) == ("mine", {"csv", "json", "batch", "rf"})


@pytest.mark.parametrize("text", ["[", "{}", '{"name": "a", "command": "b", "colour": "c"}', "[1]"])
def test_a_file_that_describes_no_server_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(Unknown, match=r"bad\.json"):
        read_peers(tmp_path / "bad.json")


def test_rounds_interleave_and_each_begins_with_another() -> None:
    lives = plan(choose("ours,fastapi,mlserver"), parse_cells("csv:1,64"), Options(rounds=3))
    names = [life.peer.name for life in lives]
    assert names == ["ours", "fastapi", "mlserver", "fastapi", "mlserver", "ours", "mlserver", "ours", "fastapi"]
    assert {life.cells for life in lives} == {(Cell("csv", 1), Cell("csv", 64))}


def test_cells_of_one_model_and_worker_count_share_a_server() -> None:
    lives = plan(choose("ours"), parse_cells("csv:1;start:2;rf:8;memory:2,4"), Options(rounds=1))
    assert [(life.artifact, life.workers, [str(cell) for cell in life.cells]) for life in lives] == [
        ("m1", 2, ["csv:1", "start:2", "memory:2"]),
        ("rf", 2, ["rf:8"]),
        ("m1", 4, ["memory:4"]),
    ]


def test_a_contestant_is_left_out_of_what_it_has_no_form_for() -> None:
    lives = plan(choose("mlserver-batch,limit"), parse_cells(DEFAULT_CELLS), Options(rounds=1))
    taken: dict[str, set[str]] = {}
    for life in lives:
        taken.setdefault(life.peer.name, set()).update(cell.slot for cell in life.cells)
    assert taken == {
        "mlserver-batch": {"csv", "rf", "ner", "start", "memory"},
        "nginx-static": {"csv", "json"},
        "in-process": {"csv", "json", "batch", "rf", "ner", "start"},
    }


@pytest.mark.parametrize(
    ("answer", "body", "prediction"),
    [
        ("csv", b"1\n2\n", [1, 2]),
        ("csv", b'"1\\n2\\n"', [1, 2]),
        ("json", b"[1]", [1]),
        ("json:predictions", b'{"predictions": [1]}', [1]),
        ("json:outputs.0.data", b'{"outputs": [{"data": [1]}]}', [1]),
        ("json:outputs.0.json", b'{"outputs": ["[[1]]"]}', [[1]]),
    ],
)
def test_predictions_are_found_in_every_kind_of_answer(answer: str, body: bytes, prediction: object) -> None:
    assert read_answer(answer, body) == prediction
