"""MME: each assertion is held by the twin and broken by one with that fault, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_test.conformance.checks import multi_model, multi_model_limits
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {each.id: f"FAULT={each.id}" for each in (*multi_model.GROUP, *multi_model_limits.GROUP)}


def test_the_twin_holds_all(judge: Judge) -> None:
    verdicts = judge(["MME"])
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_the_callers_own_model_will_do(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"1")
    (tmp_path / "more").mkdir()
    assert judge(["MME-02", "MME-06", "MME-08"], model_dir=tmp_path).held == {"MME-02", "MME-06", "MME-08"}


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}
