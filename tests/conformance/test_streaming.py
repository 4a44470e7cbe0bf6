"""STR: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.bench import Sample
from local_test.conformance.checks.streaming import GROUP
from tests.conformance.derived import derived
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}
ROWS = Sample(b'{"instances": [[1], [2], [3], [4]], "stream": true}', "application/json")
WHOLE = Sample(b'{"instances": [[1], [2]]}', "application/json")


@pytest.fixture
def plain(judge: Judge) -> str:
    """An image that streams, and runs no scripts."""
    return derived(judge.image, 'LABEL sagemaker-conformance.claims="streaming"', "ENV FAULT=no-scripts")


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["STR"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


def test_a_sample_that_streams_is_enough_where_no_scripts_are_run(judge: Judge, plain: str) -> None:
    verdicts = judge(["STR"], image=plain, sample=ROWS)
    assert verdicts.held == {"STR-01", "STR-02", "STR-05", "STR-06"}
    assert verdicts.failed == set()


def test_a_sample_that_does_not_stream_tells_nothing(judge: Judge, plain: str) -> None:
    verdicts = judge(["STR-01", "STR-02", "STR-05"], image=plain, sample=WHOLE)
    assert verdicts.rest.keys() == {"STR-01", "STR-02", "STR-05"}
    assert "--payload" in verdicts.says("STR-01")


@pytest.mark.parametrize("fault", ["STR-01", "STR-05"])
def test_faults_are_seen_by_the_sample_too(fault: str, judge: Judge, plain: str) -> None:
    assert judge(["STR"], f"no-scripts,{fault}", image=plain, sample=ROWS).failed == {fault}
