"""RUN: each assertion on repeated starts, dead workers and limits is held by the twin, broken by a fault.

Each start costs time, so a fault is run beside the assertions of the same kind only: those that it could be taken for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local_test.conformance.bench import PROBE_DIR
from local_test.conformance.checks.robustness import GROUP
from local_test.conformance.starts import PROBE_SAMPLE
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}

START = ("RUN-01", "RUN-17", "RUN-18")
PROCESSES = ("RUN-19", "RUN-20", "RUN-21")
LOOK_ALIKES = {
    **dict.fromkeys(START, START),
    **dict.fromkeys(PROCESSES, PROCESSES),
    "RUN-22": ("RUN-01", "RUN-22"),  # every start of a slow twin is slow
}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(COUNTER_EXAMPLES, pace=0.1)  # a busy machine starts slowly
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    pace = 0.01 if fault == "RUN-22" else 0.02
    assert judge.failed(fault, only=LOOK_ALIKES[fault], pace=pace) == {fault}


def test_a_model_of_rubbish_is_refused(judge: Judge) -> None:
    """The caller's files, all of them spoiled."""
    verdicts = judge(["RUN-18"], model_dir=PROBE_DIR, sample=PROBE_SAMPLE)
    assert "exit code 1" in verdicts.says("RUN-18")


def test_a_model_folder_that_is_not_needed_cannot_be_spoiled(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing that it reads")
    assert judge(["RUN-18"], model_dir=tmp_path).rest == {"RUN-18": "it needs none of the files in its model folder"}


def test_a_start_without_end_is_too_slow_as_well(judge: Judge) -> None:
    """It answers /ping, only never 200, for as long as the contract allows."""
    assert judge.failed("RUN-22", only=["RUN-01", "RUN-22"], pace=0.01, start_limit_s=2.0) == {"RUN-22"}
