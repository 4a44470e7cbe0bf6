"""SLS: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.checks.serverless import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["SLS"], pace=0.1)  # a busy machine starts slowly
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", [name for name in COUNTER_EXAMPLES if name != "SLS-04"])
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


def test_a_slow_start_is_seen(judge: Judge) -> None:
    """Alone: every start of a slow twin is slow."""
    assert judge.failed("SLS-04", only=["SLS-04"], pace=0.01) == {"SLS-04"}
