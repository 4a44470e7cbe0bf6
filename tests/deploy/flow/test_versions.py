"""What counts as a version, and how it is kept in the endpoint's tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.errors import DeployError
from deploy.previous import PREVIOUS, State, as_tags, noted
from deploy.verbs import plan as plan_verb
from tests.deploy.configs import NEWER, config
from tests.deploy.double import Fault
from tests.deploy.flow.conftest import Cloud
from tests.deploy.flow.test_faults import FAULTS, Killed
from tests.deploy.flow.versions import BAD, COMPONENTS, back, newer, unfinished, version


@pytest.mark.parametrize("refused", [False, True], ids=["turned back by AWS", "refused by AWS"])
def test_version_that_failed_is_neither_told_nor_gone_back_to_nor_takes_the_one_before(
    cloud: Cloud, refused: bool
) -> None:
    cloud.up(config())
    first = version(cloud)
    cloud.up(here := config(version="2", environment={"A": "2"}))
    second = version(cloud)
    if refused:
        cloud.double.faults.on("UpdateEndpoint", Fault("ResourceLimitExceeded", "The account-level service limit"))
    else:
        cloud.double.fail_next("churn", BAD)
    with pytest.raises(DeployError):
        cloud.up(config(image=NEWER))
    assert cloud.aws.tags(cloud.endpoint()["EndpointArn"])["version"] == "2", "what runs"
    cloud.up(here)
    assert version(cloud) == second
    assert cloud.plan(here).changes == ()
    back(cloud, here)
    assert version(cloud) == first


def test_component_whose_update_fails_is_told_and_goes_on_with_what_it_had(cloud: Cloud) -> None:
    cloud.up(COMPONENTS)
    first = version(cloud)
    cloud.double.fail_next("churn-b", BAD)
    with pytest.raises(DeployError) as caught:
        cloud.up(newer(COMPONENTS))
    assert caught.value.reason == f"inference-component/churn-b is InService, with what it had before: {BAD}"
    assert "It goes on with the version that it had" in caught.value.next_step
    assert unfinished(cloud) == "up"
    back(cloud, newer(COMPONENTS))
    assert version(cloud) == first, "component a too, which had been updated"
    cloud.up(newer(COMPONENTS))
    assert cloud.plan(newer(COMPONENTS)).changes == ()


def test_first_component_that_failed_is_no_version_before(cloud: Cloud) -> None:
    cloud.double.fail_next("churn-a", BAD)
    with pytest.raises(DeployError, match="inference-component/churn-a is Failed"):
        cloud.up(COMPONENTS)
    cloud.up(newer(COMPONENTS))
    with pytest.raises(DeployError, match="has no version before this one"):
        back(cloud, COMPONENTS)


def test_first_version_that_ended_half_way_is_no_version_before(cloud: Cloud) -> None:
    cloud.double.fail_next("churn-b", BAD)
    with pytest.raises(DeployError, match="inference-component/churn-b is Failed"):
        cloud.up(COMPONENTS)
    assert unfinished(cloud) == "up"
    cloud.up(newer(COMPONENTS))
    assert unfinished(cloud) == ""
    with pytest.raises(DeployError, match="has no version before this one"):
        back(cloud, COMPONENTS)


def test_rollback_that_makes_an_endpoint_anew_and_is_killed_is_run_again(cloud: Cloud) -> None:
    """Whose components have gone with it."""
    cloud.up(COMPONENTS)
    first = version(cloud)
    cloud.up(newer(COMPONENTS))
    records = cloud.double.shelf.records
    records["eu-west-1", "Endpoint", "churn"]["EndpointStatus"] = "Failed"
    for name in ("churn-a", "churn-b"):
        del records["eu-west-1", "InferenceComponent", name]
    cloud.double.faults.on("CreateInferenceComponent", FAULTS["killed"])
    with pytest.raises(Killed):
        back(cloud, COMPONENTS)
    assert unfinished(cloud) == "rollback"
    back(cloud, COMPONENTS)
    assert version(cloud) == first


def test_component_that_failed_by_itself_is_part_of_its_version(cloud: Cloud) -> None:
    cloud.up(COMPONENTS)
    first = version(cloud)
    cloud.up(newer(COMPONENTS))
    second = version(cloud)
    for run, end in (("2", first), ("3", second)):
        cloud.up(newer(COMPONENTS))
        records = cloud.double.shelf.records
        records["eu-west-1", "InferenceComponent", "churn-a"]["InferenceComponentStatus"] = "Failed"
        cloud.up(newer(COMPONENTS, run))
        back(cloud, newer(COMPONENTS, run))
        assert version(cloud) == end


@pytest.mark.parametrize("here", ["rollback", "the same", "another"])
def test_endpoint_that_is_made_anew_keeps_its_versions(cloud: Cloud, here: str) -> None:
    """A failed update may end as Failed, from which AWS leads nowhere but to a new endpoint."""
    v1, v2, v3, v4 = (config(version=str(n), environment={"A": str(n)}) for n in range(1, 5))
    cloud.up(v1)
    first = version(cloud)
    cloud.up(v2)
    second = version(cloud)
    cloud.double.fail_next("churn", BAD, "Failed")
    with pytest.raises(DeployError):
        cloud.up(v3)
    back(cloud, v3) if here == "rollback" else cloud.up(v2 if here == "the same" else v4)
    assert here == "rollback" or cloud.plan(v2 if here == "the same" else v4).changes == ()
    back(cloud, v3)
    assert version(cloud) == (first if here == "the same" else second)


def test_version_without_a_commit_has_none_after_rollback(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_verb, "git_sha", lambda: "")
    cloud.up(config())
    monkeypatch.setattr(plan_verb, "git_sha", lambda: "2" * 40)
    cloud.up(config(image=NEWER))
    back(cloud, config())
    assert not cloud.aws.tags(cloud.endpoint()["EndpointArn"])["git-sha"]


def test_many_tags_leave_room_for_two_versions(cloud: Cloud) -> None:
    """AWS takes 50, and the double too."""
    here = replace(COMPONENTS, tags={f"t{n}": "x" for n in range(36)})
    cloud.up(here)
    first = version(cloud)
    cloud.up(newer(here))
    back(cloud, newer(here))
    assert version(cloud) == first


@pytest.mark.parametrize("name", ["unfinished", "previous-config", "undo-state-3", "aws:x"])
def test_tags_of_ours_and_awss_are_nobody_elses(name: str) -> None:
    with pytest.raises(DeployError, match=f"the name of tags.{name} is '{name}'; AWS or `rollback` writes tags"):
        config(tags={name: "x"})


def component(number: int) -> dict[str, Any]:
    specification = {"ModelName": f"churn-{number}-{number * 7919:08x}", "ComputeResourceRequirements": {}}
    return {"VariantName": "main", "Specification": specification, "RuntimeConfig": {"CopyCount": 1}}


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40, 100])
def test_tags_hold_a_version_as_aws_takes_tags(cloud: Cloud, count: int) -> None:
    cloud.up(config())
    arn = cloud.endpoint()["EndpointArn"]
    state = State("churn-1a2b3c4d", {f"churn-{n}": component(n) for n in range(count)}, {"version": "1"})
    for each in (State("x", {f"y-{n}": component(n) for n in range(110)}), state):
        tags = [{"Key": key, "Value": value} for key, value in as_tags(PREVIOUS, each).items()]
        cloud.aws.call("sagemaker", "AddTags", ResourceArn=arn, Tags=tags)
    assert noted(PREVIOUS, cloud.aws.tags(arn)) == state, "whatever stood there before"


def test_too_many_components_are_no_version_before_and_that_is_told(cloud: Cloud, monkeypatch: Any) -> None:
    monkeypatch.setattr("deploy.previous.PARTS_LIMIT", 1)
    cloud.up(COMPONENTS)
    (warning,) = cloud.plan(newer(COMPONENTS)).warnings
    assert warning.startswith("2 inference components beside 3 tags are more than can be noted; `rollback` will")
    cloud.up(newer(COMPONENTS))
    with pytest.raises(DeployError, match="has no version before this one"):
        back(cloud, COMPONENTS)


@pytest.mark.parametrize("text", ["?", "e30=", "eJyrVkrOzy3Iz0vNKylWsqqurQUA"], ids=["no base64", "not packed", "torn"])
def test_tags_that_cannot_be_read_are_no_version(text: str) -> None:
    assert noted(PREVIOUS, {"previous-config": "c", "previous-state-1": text}) is None


def test_endpoint_whose_tags_know_a_configuration_only_goes_back_to_that(cloud: Cloud) -> None:
    """As they were before components were noted."""
    cloud.up(config())
    first = version(cloud)
    cloud.up(config(image=NEWER))
    arn = cloud.endpoint()["EndpointArn"]
    cloud.aws.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=["previous-state-1", "unfinished"])
    back(cloud, config())
    assert version(cloud)["configuration"] == first["configuration"]
