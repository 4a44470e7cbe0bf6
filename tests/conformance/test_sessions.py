"""SES: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.checks.sessions import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["SES"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


def test_sessions_that_are_off_by_default_are_switched_on(judge: Judge) -> None:
    verdicts = judge(["SES"], "sessions-off")
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_an_expiry_that_cannot_be_shortened_is_not_waited_for(judge: Judge) -> None:
    assert "not waited for" in judge(["SES-06"], "sessions-fixed").says("SES-06")


def test_an_expiry_in_local_time_is_seen(judge: Judge) -> None:
    """In a zone far from UTC it is long past."""
    verdicts = judge(["SES-06"], "sessions-local-time")
    assert verdicts.failed == {"SES-06"}
    assert "expired" in verdicts.says("SES-06")
