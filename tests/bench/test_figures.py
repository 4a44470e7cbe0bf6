"""What is made of raw JSON: ratios within a round, tables, blocks of a page, stages of log lines, plots."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench import growth_tables, tables
from bench.contestants import PINS
from bench.growth import SERIES
from bench.ratios import Spread, ratio, spread
from bench.raw import Measurement, Result
from bench.stages import read_stages, whole_ms
from tests.bench.conftest import ROOT

PAGES = ("performance.md", "growth.md")


def test_a_ratio_is_taken_within_a_round(races: Result) -> None:
    """Over all rounds ours has a median of 750 and the other 350: 2.14 times would be of no moment that there was."""
    assert ratio(races.measurements, "ours", "other", "csv:1", "good_per_s") == Spread(2.25, 2.0, 2.5)
    assert ratio(races.measurements, "ours", "other", "csv:1", "good_per_s", more_is_better=False) == Spread(
        0.45, 0.4, 0.5
    )


def test_a_ratio_needs_a_round_that_both_have_and_no_zero(races: Result) -> None:
    alone = [*races.measurements, Measurement("late", "csv:1", 7, {"good_per_s": 1.0})]
    assert ratio(alone, "ours", "late", "csv:1", "good_per_s") is None
    zero = [*races.measurements, Measurement("zero", "csv:1", 0, {"good_per_s": 0.0})]
    assert ratio(zero, "ours", "zero", "csv:1", "good_per_s") is None


def test_a_spread_is_median_least_and_most(races: Result) -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)
    assert Spread.of([]) is None
    assert spread(races.measurements, "other", "csv:1", "good_per_s") == Spread(350, 200, 500)
    assert spread(races.measurements, "other", "csv:1", "max_ms") is None


def test_raw_json_is_read_as_it_was_written(races: Result, tmp_path: Path) -> None:
    races.write(tmp_path / "deep/races.json")
    assert Result.read(tmp_path / "deep/races.json") == races
    assert json.loads(races.text())["kind"] == "races"


def test_the_tables_of_a_race(races: Result) -> None:
    assert tables.throughput(races).splitlines() == [
        "| server | csv, c=1 | csv, c=64 |",
        "|---|---|---|",
        "| ours | 750 (500-1,000) | 750 (500-1,000) |",
        "| other | 350 (200-500) | 350 (200-500) |",
    ]
    assert tables.ratios(races).splitlines()[2:] == ["| other | 2.25 (2.00-2.50) | 2.25 (2.00-2.50) |"]
    assert tables.latency(races).splitlines()[3] == "| other | 1.0 / 2.0, 20 % errors | 1.0 / 2.0, 20 % errors |"
    assert tables.cpu(races).splitlines()[2] == "| ours | 300 | 300 |"
    heads = "s to the first 200 | s to the first right answer | MB, 2 workers | MB, 4 workers | MB a further worker"
    assert tables.start_and_memory(races).splitlines() == [
        f"| server | {heads} |",
        "|---|---|---|---|---|---|",
        "| ours | 2.00 | 2.50 | 160 | 220 | 30 |",
    ]


def test_a_failure_is_told_with_the_conditions(races: Result) -> None:
    races.failures.append({"peer": "other", "artifact": "rf", "why": "it fell"})
    assert tables.conditions(races).splitlines()[-1] == "other failed with rf: it fell."


def test_stages_are_means_of_good_requests_and_the_rest_is_what_the_whole_has_more() -> None:
    one = {"event": "request", "status": 200, "queue_ms": 1.0, "decode_ms": 0.5, "predict_ms": 2.0, "encode_ms": 0.5}
    lines = [one, {**one, "queue_ms": 3.0}, {**one, "status": 400, "queue_ms": 99.0}]
    logged = [json.dumps(line).encode() for line in lines] + [b"no JSON", b'{"event": "request", "decode_ms": 1']
    stages = {"queue": 2.0, "decode": 0.5, "predict": 2.0, "encode": 0.5}
    assert read_stages(logged, 7.0) == {**stages, "rest": 2.0}
    assert read_stages(logged, 4.0) == {**stages, "rest": 0.0}
    assert read_stages([b"no JSON"], 7.0) == {}


def test_connections_that_always_ask_tell_how_long_a_request_takes() -> None:
    assert whole_ms(64, {"requests": 1000, "took_us": 2_000_000}) == 128.0


def test_a_page_of_races_is_filled(races: Result, tools: Path, tmp_path: Path) -> None:
    """What stands outside of the blocks stays; a second run writes the same bytes."""
    page = report(races, tools, tmp_path)
    assert "2.25 (2.00-2.50)" in page
    assert "![p99 latency against good answers a second, a line for each server](plots/latency.svg)" in page
    assert outside(page) == outside((ROOT / "docs/performance.md").read_text())
    plots = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert set(plots) == {"latency.svg", "stages.svg"}
    assert b"ours" in plots["latency.svg"]
    assert plots["stages.svg"].rstrip().endswith(b"</svg>")
    assert report(races, tools, tmp_path) == page
    assert {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()} == plots


def test_a_page_of_growth_is_filled(races: Result, tools: Path, tmp_path: Path) -> None:
    rates = {"good_per_s": 900.0, "p50_ms": 1.0, "p99_ms": 2.5, "errors": 0, "cpu_us": 300}
    figures = {**rates, "pss_mb": 161.2, "answer_s": 2.0}
    points = [Measurement("ours", f"{name}:{number}", 0, figures) for name in SERIES for number in (1, 10, 1000)]
    page = report(Result("growth", races.conditions, points), tools, tmp_path)
    assert "| 1,000 | 900 | 2.5 | 2 | 161 |" in page
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == set(SERIES) == set(growth_tables.SERIES)
    assert outside(page) == outside((ROOT / "docs/growth.md").read_text())


def test_what_was_not_measured_is_told_in_place_of_an_older_run(races: Result, tools: Path, tmp_path: Path) -> None:
    report(races, tools, tmp_path)
    starts = [each for each in races.measurements if each.cell == "start:2"]
    page = report(Result("races", races.conditions, starts), tools, tmp_path)
    assert page.count("Not measured in this run.") == 6
    assert "| ours | 2.00 | 2.50 |" in page


def report(result: Result, tools: Path, docs: Path) -> str:
    """The page that bench.report writes, run as make runs it."""
    result.write(docs / "result.json")
    command = [tools, "-m", "bench.report", docs / "result.json", "--docs", docs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (docs / {"races": PAGES[0], "growth": PAGES[1]}[result.kind]).read_text()


def outside(page: str) -> list[str]:
    """The lines that no block holds."""
    lines, inside = [], False
    for line in page.splitlines():
        inside = (inside or line.startswith("<!-- ")) and not line.startswith("<!-- /")
        if not inside:
            lines.append(line)
    return lines


def test_a_file_that_is_no_result_is_told_and_exit_2(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    command = [tools, "-m", "bench.report", tmp_path / "bad.json", "--docs", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith(f"report: {tmp_path / 'bad.json'}: KeyError")) == (2, True)


@pytest.mark.parametrize("name", PINS)
def test_every_package_that_pip_is_told_of_is_pinned(name: str) -> None:
    """A name without a version would install whatever has that name today."""
    assert [pin for pin in PINS[name] if "==" not in pin] == []
