"""This image keeps what each hosting mode asks; the modes' runs, and the page's table of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.modes import MODES, SAVE, Mode, check, failed, labelled, share, table
from local_test.conformance.assertion import Level
from local_test.conformance.catalogue import ALL, BY_ID
from local_test.conformance.runner import Outcome
from tests.conformance.judge import Verdicts
from tests.docs.pages import ROOT
from tests.image.conftest import image  # noqa: F401
from tests.image.container import docker
from tests.system.sample import train

OF_MODES = "MME,MCE,SIP,SLS,ASY,BT,STR,BID,SES,OAI,OBS,SCR"
LABELS = MODES["bidirectional"].labels


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("model"))


@pytest.mark.slow
def test_all_that_modes_ask_holds_on_this_image(image: str, model_dir: Path) -> None:  # noqa: F811
    """In one run, so that its assertions share servers; `make conformance-modes` starts each mode's own."""
    mode = Mode(f"IMG-12,IMG-13,IMG-14,{OF_MODES}", without=("SLS-04",), labels=LABELS)
    verdicts = Verdicts(check(mode, image, model_dir, pace=0.05, fast=True))
    assert verdicts.failed == set()
    assert {name for name in verdicts.rest if not BY_ID[name].slow} == set()


@pytest.mark.slow
def test_adapters_are_served_by_the_example(image: str) -> None:  # noqa: F811
    mode = MODES["adapters"]
    verdicts = Verdicts(check(mode, image, mode.model_dir, pace=0.05, fast=True))
    assert (verdicts.failed, verdicts.rest) == (set(), {})


@pytest.mark.slow
def test_it_is_ready_within_3_minutes_on_one_cpu(image: str, model_dir: Path) -> None:  # noqa: F811
    """At its own pace: it is no wait that can be made shorter, but a limit."""
    assert Verdicts(check(Mode("SLS-04"), image, model_dir, fast=True)).failed == set()


def test_the_modes_ask_for_every_group_but_those_of_files_and_of_training() -> None:
    asked = {word.partition("-")[0] for mode in MODES.values() for word in mode.asked.split(",")}
    assert asked == {each.group for each in ALL} - {"PKG", "TRN", "REQ"}


def test_a_label_makes_an_image_of_a_fork(image: str) -> None:  # noqa: F811
    told = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", labelled(image, {"a.b": "c"})))
    assert (told["a.b"], told["com.amazonaws.sagemaker.capabilities.multi-models"]) == ("c", "true")


def test_the_page_has_what_was_seen_of_every_mode() -> None:
    raw = json.loads(SAVE.read_text())
    assert raw["seen"].keys() == MODES.keys()
    assert raw["pace"] == 1
    assert table(raw) in (ROOT / "docs/conformance.md").read_text()


def test_what_fails_is_counted_and_named() -> None:
    outcomes = {"STR-01": Outcome.HELD, "STR-02": Outcome.FAILED, "STR-03": Outcome.NOT_TESTED}
    seen = {"results": {name: {"outcome": outcome} for name, outcome in outcomes.items()}}
    assert (failed(seen), share(seen, Level.MUST), share(seen, Level.SHOULD)) == (["STR-02"], "1 of 2", "0 of 0")
    raw = {"conditions": {"when": "now", "commit": "abc"}, "seen": {"streaming": seen}}
    assert "| streaming | - | STR | 1 of 2 | 0 of 0 | STR-03 |" in table(raw)
