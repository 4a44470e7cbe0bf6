"""All modes and features on the double: up, up again, update, down, and nothing is left."""

from __future__ import annotations

import pytest

from tests.deploy.configs import FEATURES, JOBS, MODES, NEWER, config, feature
from tests.deploy.flow.conftest import Cloud

ALL = {**{name: config(name) for name in [*MODES, *JOBS]}, **{name: feature(name) for name in FEATURES}}


@pytest.mark.parametrize("name", ALL)
def test_up_then_up_again_is_no_call_and_down_leaves_nothing(cloud: Cloud, name: str) -> None:
    here = ALL[name]
    assert cloud.up(here)["done"] != []
    assert cloud.plan(here).changes == ()
    assert cloud.changes_of(here) == []
    cloud.down(registry=True)
    assert cloud.left() == []
    assert cloud.down(registry=True) == [], "twice is once"


@pytest.mark.parametrize("name", [name for name in ALL if name not in JOBS])
def test_an_update_takes_over_and_leaves_one_to_go_back_to(cloud: Cloud, name: str) -> None:
    here = ALL[name]
    cloud.up(here)
    newer = type(here)(**{**vars(here), "environment": {"A": "2"}})
    newest = type(here)(**{**vars(here), "environment": {"A": "3"}})
    cloud.up(newer)
    assert cloud.changes_of(newer) == []
    cloud.up(newest)
    assert cloud.changes_of(newest) == []
    configurations = [each for each in cloud.double.shelf.left() if each.startswith("EndpointConfig/")]
    assert len(configurations) <= 2
    cloud.down(registry=True)
    assert cloud.left() == []


def test_an_update_shows_what_is_new_field_by_field(cloud: Cloud) -> None:
    cloud.up(config(environment={"A": 1, "B": 2}))
    planned = cloud.plan(config(image=NEWER, environment={"A": 1}, instances={"count": 2}))
    told = {each.call.kind: [str(field) for field in each.fields] for each in planned.changes}
    assert told["model"] == [
        f"PrimaryContainer.Image: {config().image} -> {NEWER}",
        "PrimaryContainer.Environment.B: 2 -> not set",
    ]
    assert told["endpoint-config"][0].startswith("ProductionVariants[0].ModelName: churn-main-")
    assert told["endpoint-config"][1:] == ["ProductionVariants[0].InitialInstanceCount: 1 -> 2"]
