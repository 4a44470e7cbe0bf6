"""PNG: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.checks.ping import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["PNG"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


ONLY = {"PNG-04": ("PNG-01", "PNG-03", "PNG-04", "PNG-08")}
"""Where connections are accepted late, the others' clients wait for theirs for many seconds before they can begin."""


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault, only=ONLY.get(fault, ())) == {fault}
