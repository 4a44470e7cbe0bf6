"""BT: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

import pytest

from local_test.conformance.bench import Sample
from local_test.conformance.checks.batch import GROUP
from tests.conformance.derived import without_scripts
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {assertion.id: f"FAULT={assertion.id}" for assertion in GROUP}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["BT"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_an_image_that_runs_no_scripts_is_tested_by_the_sample(judge: Judge) -> None:
    verdicts = judge(["BT"], image=without_scripts(judge.image))
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_an_image_without_a_sample_of_lines_is_tested_by_a_script(judge: Judge) -> None:
    sample = Sample(b'{"instances": [[1, 2]]}', "application/json")
    verdicts = judge(["BT-05", "BT-06", "BT-07"], sample=sample)
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}
