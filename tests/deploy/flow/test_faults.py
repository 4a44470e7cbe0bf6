"""Whatever happens to the Nth call, the next `up` comes to the same end, and `down` leaves nothing.

For N = 1, 2, ...: a call is refused, is not heard, is done and its answer lost, or the process is killed after it.
The whole run is played without a fault first, to know which calls there are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from deploy.config import Config
from deploy.errors import DeployError
from tests.deploy.configs import config, feature
from tests.deploy.double import LOST, UNHEARD, Fault
from tests.deploy.flow.conftest import Cloud

Act = Callable[[], Any]


class Killed(BaseException):
    """The end of the process, which nothing in it sees."""


def die() -> None:
    raise Killed


FAULTS = {
    "refused": Fault("ServiceUnavailable", "by the test's order", status=503),
    "unheard": UNHEARD,
    "lost": LOST,
    "killed": Fault(carried_out=True, action=die),
}
CANARY = feature("canary with alarms", environment={"A": "1"})
ASYNC = feature("async to zero", environment={"A": "1"})
COMPONENTS = feature("components to zero", environment={"A": "1"})
BATCH = config("batch", environment={"A": "1"})


@pytest.mark.parametrize(
    ("first", "fault", "reads_too"),
    [
        pytest.param(CANARY, "lost", True, id="each call of a canary is lost"),
        pytest.param(ASYNC, "refused", False, id="each change of a scaled one is refused"),
        pytest.param(ASYNC, "unheard", False, id="each change of a scaled one is not heard"),
        pytest.param(ASYNC, "killed", False, id="killed after each change of a scaled one"),
        pytest.param(COMPONENTS, "killed", False, id="killed after each change of components"),
        pytest.param(BATCH, "killed", False, id="killed after each change of a batch job"),
    ],
)
def test_the_nth_call_goes_wrong_and_all_ends_well(cloud: Cloud, first: Config, fault: str, reads_too: bool) -> None:
    second = replace(first, environment={"A": "2"})
    acts: tuple[Act, ...] = (lambda: cloud.up(first), lambda: cloud.up(second), cloud.down)
    places = [places_in(cloud, act, reads_too) for act in acts]
    for turn in range(max(len(each) for each in places)):
        forget_jobs(cloud)
        for act, at, runs in zip(acts, places, ("1", "2", None), strict=True):
            spoilt(cloud, act, at[turn % len(at)], FAULTS[fault])
            act()
            assert runs is None or first is BATCH or cloud.running() == ("InService", runs)
        assert cloud.left() == []
    forget_jobs(cloud)
    cloud.up(first)
    assert cloud.changes_of(first) == []


def places_in(cloud: Cloud, act: Act, reads_too: bool) -> list[int]:
    """Which calls of an act there are, or which of them may change something, counted from 1."""
    before = len(cloud.double.calls)
    act()
    return [i for i, call in enumerate(cloud.double.calls[before:], 1) if reads_too or call.changes]


def spoilt(cloud: Cloud, act: Act, number: int, fault: Fault) -> None:
    cloud.double.faults.clear()
    cloud.double.faults.at(number, fault)
    with suppress(DeployError, Killed):
        act()
    assert cloud.double.faults.by_number == {}, "the fault took place"


def forget_jobs(cloud: Cloud) -> None:
    """AWS keeps them for ever; here each turn begins anew."""
    records = cloud.double.shelf.records
    for key in [key for key in records if key[1].endswith("Job")]:
        del records[key]
