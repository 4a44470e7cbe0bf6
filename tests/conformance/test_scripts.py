"""SCR: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.checks.scripts import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}

OTHER_WAYS = ("SCR-01-order", "SCR-06-plain", "SCR-10-timeout")
"""Faults of the twin that break an assertion in another way."""


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["SCR"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


@pytest.mark.parametrize("fault", OTHER_WAYS)
def test_another_way_to_break_it_is_seen_too(fault: str, judge: Judge) -> None:
    assert judge([fault[:6]], fault).failed == {fault[:6]}
