"""OBS: the assertion is held by the twin, and broken by one that fails it in any of its parts."""

from __future__ import annotations

import pytest

from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {"OBS-01": "FAULT=OBS-01"}
PARTS = {
    "OBS-01": "idle it answered what is no text of Prometheus",
    "OBS-01-early": "before it was ready it answered 503",
    "OBS-01-load": "at full load: no answer within 2",
    "OBS-01-lock": "beside a scrape",
}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["OBS"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", PARTS)
def test_each_part_is_seen(fault: str, judge: Judge) -> None:
    verdicts = judge(["OBS"], fault)
    assert verdicts.failed == {"OBS-01"}
    assert PARTS[fault] in verdicts.says("OBS-01")
