"""[tags] that change are written on everything that stays."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.errors import DeployError
from tests.deploy.configs import NEWER, config, feature
from tests.deploy.double.faults import LOST
from tests.deploy.flow.conftest import Cloud, Deploy

TEAM = {"team": "x"}


def teams(cloud: Cloud) -> dict[str, str]:
    """The tag of everything that SageMaker has of ours, by kind and name."""
    found = {}
    for (_, kind, name), record in cloud.double.shelf.records.items():
        if arn := record.get(f"{kind}Arn"):
            found[f"{kind}/{name}"] = cloud.aws.tags(arn).get("team", "")
    return found


@pytest.mark.parametrize("more", ["", "components to zero", "a shadow"])
def test_tag_that_is_new_or_changed_is_shown_and_written_on_everything(more: str, cloud: Cloud) -> None:
    def here(**over: Any) -> Any:
        return feature(more, **over) if more else config(**over)

    cloud.up(here())
    for tags in (TEAM, {"team": "y"}):
        told = {str(field) for each in cloud.plan(here(tags=tags)).changes for field in each.fields}
        assert told == {f"team: {'not set' if tags == TEAM else 'x'} -> {tags['team']}"}
        assert set(cloud.changes_of(here(tags=tags))) == {"sagemaker:AddTags"}
        assert set(teams(cloud).values()) == {tags["team"]}
        assert cloud.changes_of(here(tags=tags)) == []


def test_tag_that_is_gone_stays(cloud: Cloud) -> None:
    cloud.up(config(tags=TEAM))
    assert cloud.changes_of(config()) == []


def test_new_version_and_new_tag_at_once(cloud: Cloud) -> None:
    """What the new version brings has it from the start, and the endpoint's is written once."""
    cloud.up(config(variants=[{"name": "a"}, {"name": "b"}]))
    newer = config(variants=[{"name": "a"}, {"name": "b", "image": NEWER}], tags=TEAM)
    assert cloud.changes_of(newer).count("sagemaker:AddTags") == 3, "begun, of the model that stays, and done"
    running = cloud.endpoint()
    configuration = cloud.aws.call(
        "sagemaker", "DescribeEndpointConfig", EndpointConfigName=running["EndpointConfigName"]
    )
    models = [f"Model/{each['ModelName']}" for each in configuration["ProductionVariants"]]
    told = teams(cloud)
    wanted = ["Endpoint/churn", f"EndpointConfig/{running['EndpointConfigName']}", *models]
    assert [told[each] for each in wanted] == ["x"] * 4
    assert cloud.changes_of(newer) == []


def test_killed_run_is_gone_on_with(cloud: Cloud) -> None:
    """The endpoint's tags say that all is done, so they come last."""
    cloud.up(config())
    cloud.double.faults.on("AddTags", LOST)
    with pytest.raises(DeployError, match="got no answer"):
        cloud.up(config(tags=TEAM))
    assert sorted(teams(cloud).values()) == ["", "", "x"]
    cloud.up(config(tags=TEAM))
    assert set(teams(cloud).values()) == {"x"}


def test_tags_of_the_version_are_no_change(deploy: Deploy, cloud: Cloud, file: Any) -> None:
    deploy("up")
    assert deploy("plan", "--set", "tags.version=9").code == 0
    assert deploy("plan", "--set", "tags.team=x").code == 2
