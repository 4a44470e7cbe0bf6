"""TRN: each assertion is held by the twin's `train` and broken by one with that fault, and by no other."""

from __future__ import annotations

from typing import Any

import pytest

from local_test.conformance.checks import training, training_modes
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {each.id: f"FAULT={each.id}" for each in (*training.GROUP, *training_modes.GROUP)}

OTHER_WAYS = ("TRN-10-buffered",)
"""Faults of the twin that break an assertion in another way."""


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the twin trains with."""
    folder = tmp_path_factory.mktemp("channel")
    (folder / "rows.csv").write_text("1,2\n3,4\n")
    return {
        "channels": {"training": folder},
        "hyperparameters": {"epochs": "10"},
        "metrics": {"train:loss": "train:loss=([0-9.]+)"},
    }


def test_the_twin_holds_all(judge: Judge, given: dict[str, Any]) -> None:
    verdicts = judge(["TRN"], **given)
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.parametrize("fault", COUNTER_EXAMPLES)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge, given: dict[str, Any]) -> None:
    assert judge.failed(fault, **given) == {fault}


@pytest.mark.parametrize("fault", OTHER_WAYS)
def test_another_way_to_break_it_is_seen_too(fault: str, judge: Judge, given: dict[str, Any]) -> None:
    assert judge([fault[:6]], fault, **given).failed == {fault[:6]}
