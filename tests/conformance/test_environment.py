"""RUN: each assertion on folders, networks, memory and terminals is held by the twin and broken by one with that fault.

Each start costs time, so a fault is run beside the assertions of the same kind only: those that it could be taken for.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local_test.conformance.checks.environment import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}

MODEL_FOLDER = ("RUN-10", "RUN-11", "RUN-15")
NETWORK = ("RUN-12", "RUN-13", "RUN-16")
LOOK_ALIKES = {
    **dict.fromkeys(MODEL_FOLDER, MODEL_FOLDER),
    **dict.fromkeys(NETWORK, NETWORK),
    "RUN-14": ("RUN-14", "RUN-16"),
}

ISOLATION = ("RUN-12", "RUN-13")
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask in a network without any way in")


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(COUNTER_EXAMPLES)
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=NEEDS_ROOT if name in ISOLATION else ()) for name in COUNTER_EXAMPLES]
)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault, only=LOOK_ALIKES[fault]) == {fault}


def test_a_writer_into_the_given_model_folder_is_seen(judge: Judge, tmp_path: Path) -> None:
    """Where the caller gives a model, the plain server has it read-only already, and does not start."""
    assert judge.failed("RUN-10", only=["RUN-10", "RUN-11"], model_dir=tmp_path) == {"RUN-10"}


def test_without_a_sample_request_nothing_is_blamed(judge: Judge) -> None:
    """What needs no request is still asked."""
    verdicts = judge(COUNTER_EXAMPLES, sample=None)
    assert (verdicts.failed, set(verdicts.rest)) == (set(), {"RUN-14"})
