"""TRN: each assertion is held by the twin's `train` and broken by one with that fault, and by no other."""

from __future__ import annotations

from typing import Any

import pytest

from local_test.conformance.assertion import Broken
from local_test.conformance.checks import training, training_modes
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image
from tests.conformance.judge import Judge

COUNTER_EXAMPLES = {each.id: f"FAULT={each.id}" for each in (*training.GROUP, *training_modes.GROUP)}


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


def test_metrics_that_are_buffered_until_the_end_are_seen(judge: Judge, given: dict[str, Any]) -> None:
    verdicts = judge(["TRN-10"], "TRN-10-buffered", **given)
    assert verdicts.failed == {"TRN-10"}
    assert "buffered" in verdicts.says("TRN-10")


def test_a_first_process_that_ignores_sigterm_is_seen_though_training_is_short(
    judge: Judge, given: dict[str, Any]
) -> None:
    """The kernel ignores a signal for process 1 that it has no handler for."""
    verdicts = judge(["TRN-05"], "TRN-05-ignored", **{**given, "hyperparameters": {"epochs": "40"}})
    assert verdicts.failed == {"TRN-05"}
    assert "no handler" in verdicts.says("TRN-05")


def test_without_data_the_options_that_give_it_are_named(judge: Judge) -> None:
    verdicts = judge(["TRN-01", "TRN-02"])
    assert verdicts.failed == set()
    assert "--channel NAME=FOLDER" in verdicts.rest["TRN-01"]


def test_metrics_may_be_named_by_a_label() -> None:
    label = '[{"Name": "loss", "Regex": "loss=([0-9.]+)"}]'
    assert training_modes.of_label({training_modes.METRICS_LABEL: label}) == {"loss": "loss=([0-9.]+)"}
    with pytest.raises(Broken, match=training_modes.METRICS_LABEL):
        training_modes.of_label({training_modes.METRICS_LABEL: "loss"})


def test_an_image_with_a_program_named_train_is_one_that_trains(twin_image: str) -> None:
    image = Image(twin_image, Setup())
    try:
        assert (image.program("train"), image.program("no-such-program")) == ("/usr/local/bin/train", "")
    finally:
        image.close()
