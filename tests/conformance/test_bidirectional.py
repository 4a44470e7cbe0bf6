"""BID: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance import claims
from local_test.conformance.checks.bidirectional import GROUP
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["BID"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


def test_a_server_that_says_nothing_keeps_the_contract(judge: Judge) -> None:
    verdicts = judge(["BID-02", "BID-03", "BID-04"], "silent")
    assert (verdicts.failed, verdicts.rest) == (set(), {})
    assert verdicts.says("BID-02") == "text: no answer, binary: no answer"


def test_a_refusal_of_binary_is_seen(judge: Judge) -> None:
    verdicts = judge(["BID-02"], "text-only")
    assert verdicts.failed == {"BID-02"}
    assert "1003 only text is taken" in verdicts.says("BID-02")


def test_a_websocket_is_found_where_no_label_tells_of_it(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "by_label", lambda _: frozenset())
    assert judge(["BID-01"]).held == {"BID-01"}
