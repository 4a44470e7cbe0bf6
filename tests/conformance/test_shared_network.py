"""MCE: held by the twin, and broken by one that breaks a promise which it is made of."""

from __future__ import annotations

import pytest

from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {"MCE-01": "FAULT=RUN-07"}
PARTS = ("RUN-04", "RUN-06", "RUN-07")


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["MCE"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("part", PARTS)
def test_each_part_breaks_it(part: str, judge: Judge) -> None:
    assert judge(["MCE"], part).failed == {"MCE-01"}
