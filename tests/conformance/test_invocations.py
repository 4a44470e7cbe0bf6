"""INV: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.checks import connections, invocations, media_types
from tests.conformance.judge import Judge, neighbours

GROUP = [*invocations.GROUP, *media_types.GROUP, *connections.GROUP]
COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}
ACCEPTS = ("application/json", "text/csv")
COSTLY = {"INV-03", "INV-04", "INV-05", "INV-10", "INV-25"}
"""Those that start servers of their own or send much: run with their own fault and on the whole twin only."""


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["INV"], accepts=ACCEPTS)
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    names = [name for name in neighbours(fault) if name == fault or name not in COSTLY]
    assert judge(names, fault, accepts=ACCEPTS).failed == {fault}
