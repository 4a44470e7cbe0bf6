"""The images of other stacks in bench/strangers: each is built, serves, and is judged; the page's table tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.conformance import LABELS, OURS, PACKAGES, SAVE, build, table, versions
from local_test.conformance.bench import Sample
from local_test.conformance.catalogue import ALL
from tests.conformance.judge import Judge
from tests.docs.pages import ROOT
from tests.system.sample import train

ROW = Sample(b"5.1,3.5,1.4,0.2\n", "text/csv")
AS_JSON = Sample(b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}', "application/json")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_stranger_serves_and_is_judged(name: str, engine: None, model_dir: Path) -> None:
    """Each obeys the plain parts; none of them reads the port from the environment."""
    judge = Judge(build(name))
    sample = AS_JSON if name == "bentoml" else ROW
    verdicts = judge(["PNG-01", "INV-01", "INV-08", "RUN-04"], sample=sample, model_dir=model_dir, start_limit_s=30.0)
    assert (verdicts.held, verdicts.failed) == ({"PNG-01", "INV-01", "INV-08"}, {"RUN-04"})


def test_the_page_has_what_was_seen() -> None:
    raw = json.loads(SAVE.read_text())
    page = (ROOT / "docs/conformance.md").read_text()
    assert raw["seen"].keys() == LABELS.keys()
    assert table(raw) in page
    assert versions(raw) in page


def test_the_table_marks_what_held_failed_and_was_not_decided() -> None:
    outcomes = dict(zip((each.id for each in ALL), ["held", "failed", "not applicable", "not tested"], strict=False))
    seen = {name: {"outcome": outcome, "seen": ""} for name, outcome in outcomes.items()}
    lines = table({"seen": {OURS: {"results": seen}}}).splitlines()
    ids = [each.id for each in ALL]
    assert lines[2].startswith(f"| {ids[0]} ")
    assert lines[2].endswith("| yes |")
    assert lines[3].startswith(f"| {ids[1]} ")
    assert lines[3].endswith("| **no** |")
    assert len(lines) == 6, "the other two were decided for nobody; two lines of totals"
