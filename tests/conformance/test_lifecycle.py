"""RUN: each assertion on start, ports and stop is held by the twin and broken by one with that fault.

Each start costs time, so a fault is run beside the assertions of the same kind only: those that it could be taken for.
"""

from __future__ import annotations

import pytest

from local_test.conformance.checks.lifecycle import GROUP
from tests.conformance.derived import derived
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}

REACH = ("RUN-01", "RUN-03", "RUN-05")  # all of them could be why nobody reaches it
PORTS = ("RUN-03", "RUN-04", "RUN-05", "RUN-06", "RUN-07")
STOP = ("RUN-08", "RUN-09")
LOOK_ALIKES = {
    **dict.fromkeys(("RUN-04", "RUN-06", "RUN-07"), PORTS),
    **dict.fromkeys(REACH, REACH),
    "RUN-02": ("RUN-01", "RUN-02", "RUN-05"),
    **dict.fromkeys(STOP, STOP),
}
START_LIMIT_S = dict.fromkeys(REACH, 2.0)  # a twin with one of these never gets ready


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(COUNTER_EXAMPLES)
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault, only=LOOK_ALIKES[fault], start_limit_s=START_LIMIT_S.get(fault, 6.0)) == {fault}


def test_an_image_without_serve_fails_once(judge: Judge) -> None:
    """It is said where the container cannot be started, and not again by all that would need one."""
    image = derived(judge.image, "ENTRYPOINT []")
    assert judge([*COUNTER_EXAMPLES, "RUN-22"], image=image).failed == {"RUN-01"}
