"""MME: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_test.conformance.checks import multi_model, multi_model_limits
from tests.conformance.derived import without_scripts
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {each.id: f"FAULT={each.id}" for each in (*multi_model.GROUP, *multi_model_limits.GROUP)}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["MME"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_an_image_that_runs_no_scripts_is_tested_by_the_callers_model(judge: Judge, tmp_path: Path) -> None:
    """Its model is so small that its memory cannot be seen, loads at once, and cannot be ordered to fail.

    The twin takes any file for a model, a corrupt one too.
    """
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "weights").write_bytes(b"1")
    verdicts = judge(["MME"], image=without_scripts(judge.image), model_dir=tmp_path)
    assert set(verdicts.rest) == {"MME-04", "MME-13", "MME-15", "MME-19"}
    assert verdicts.failed <= {
        "MME-16",
        "MME-17",
    }  # two loads at once may not meet; the twin takes any file for a model


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}
