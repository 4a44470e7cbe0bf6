"""rollback goes to the version before, whole, whatever ended the runs in between; `up` goes forth again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.config import Config, parse
from deploy.errors import DeployError
from deploy.previous import PREVIOUS, State, as_tags, noted
from deploy.terminal import Terminal
from deploy.verbs import plan as plan_verb
from deploy.verbs import rollback
from deploy.wait import Pace
from tests.deploy.configs import NEWER, TABLE, config, feature
from tests.deploy.double import Fault
from tests.deploy.flow.conftest import Cloud, Deploy
from tests.deploy.flow.test_faults import FAULTS, places_in, spoilt

PLAIN = config(environment={"A": "1"})
SCALED = feature("async to zero", environment={"A": "1"})
COMPONENTS = feature("components to zero", environment={"A": "1"})
pytestmark = pytest.mark.usefixtures("file")
BAD = "The container did not pass the ping health check."


def back(cloud: Cloud, config: Config) -> dict[str, Any]:
    return rollback.rolled_back(cloud.aws, config, Terminal(), Pace(0.002, 10))


def newer(first: Config, run: str = "2") -> Config:
    """Another model, and more memory where there are components."""
    parts = tuple(replace(each, memory_mb=int(run) * 1024) for each in first.components)
    return replace(first, environment={"A": run}, components=parts)


def version(cloud: Cloud) -> dict[str, Any]:
    """What runs: the configuration, each component's specification, the scaling, and the tags that tell it."""
    records = cloud.double.shelf.records
    parts = {name: each["Specification"] for (_, noun, name), each in records.items() if noun == "InferenceComponent"}
    targets = cloud.aws.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
    scaled = sorted(each["ResourceId"] for each in targets["ScalableTargets"])
    here = cloud.endpoint()
    tags = cloud.aws.tags(here["EndpointArn"])
    assert (here["EndpointStatus"], tags.get("unfinished", "")) == ("InService", "")
    return {"configuration": here["EndpointConfigName"], "parts": parts, "scaled": scaled, "version": tags["version"]}


def unfinished(cloud: Cloud) -> str:
    return cloud.aws.tags(cloud.endpoint()["EndpointArn"]).get("unfinished", "")


def test_rollback_twice_is_once_and_up_goes_forth(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    first = version(cloud)
    assert "has no version before this one" in deploy("rollback").err
    deploy("up", "--image", NEWER)
    second = version(cloud)
    assert (first["version"], second["version"]) == ("a" * 12, "b" * 12)
    assert f"the version before, for `rollback`: {first['configuration']}" in deploy("status").out
    assert deploy("rollback").out.startswith(f"churn runs {first['configuration']} again.")
    assert version(cloud) == first
    assert "the version before" not in deploy("status").out
    made = len(cloud.double.changes)
    assert deploy("rollback").out.startswith(f"churn runs {first['configuration']} already, the version before.")
    assert cloud.double.changes[made:] == []
    deploy("up", "--image", NEWER)
    assert version(cloud) == second
    assert deploy("plan", "--image", NEWER).code == 0


def test_rollback_takes_components_along(deploy: Deploy, cloud: Cloud) -> None:
    cloud.up(COMPONENTS)
    first = version(cloud)
    cloud.up(newer(COMPONENTS))
    assert version(cloud)["parts"] != first["parts"]
    told = back(cloud, newer(COMPONENTS))
    assert version(cloud) == first
    assert sorted(told["components"]) == ["churn-a", "churn-b"]
    cloud.up(newer(COMPONENTS))
    assert cloud.plan(newer(COMPONENTS)).changes == ()


def test_component_that_has_gone_since_comes_back_and_one_that_has_come_stays_and_is_named(cloud: Cloud) -> None:
    a, b = COMPONENTS.components
    cloud.up(replace(COMPONENTS, components=(a,)))
    first = version(cloud)
    since = replace(newer(COMPONENTS), components=(b,))
    cloud.up(since)
    told = back(cloud, since)
    now = version(cloud)
    assert told["stay"] == ["churn-b"]
    assert now["parts"].pop("churn-b")
    assert now["parts"] == first["parts"]
    cloud.up(since)
    assert sorted(version(cloud)["parts"]) == ["churn-b"]


def test_copies_that_somebody_scaled_to_stay(deploy: Deploy, cloud: Cloud) -> None:
    cloud.up(COMPONENTS)
    cloud.up(newer(COMPONENTS))
    wanted = {"InferenceComponentName": "churn-b", "DesiredRuntimeConfig": {"CopyCount": 4}}
    cloud.aws.call("sagemaker", "UpdateInferenceComponentRuntimeConfig", **wanted)
    back(cloud, newer(COMPONENTS))
    told = cloud.aws.call("sagemaker", "DescribeInferenceComponent", InferenceComponentName="churn-b")
    assert told["RuntimeConfig"]["DesiredCopyCount"] == 4
    made = len(cloud.double.changes)
    back(cloud, newer(COMPONENTS))
    assert cloud.double.changes[made:] == []


@pytest.mark.parametrize("fault", ["refused", "lost", "killed"])
@pytest.mark.parametrize("first", [PLAIN, SCALED, COMPONENTS], ids=["plain", "scaled", "components"])
def test_rollback_that_went_wrong_at_its_nth_call_is_run_again(cloud: Cloud, first: Config, fault: str) -> None:
    """Again, or `up` instead of it: each gets where it says, and the next rollback goes to the same version."""
    cloud.up(first)
    older = version(cloud)
    cloud.up(second := newer(first))
    wanted = version(cloud)
    places = places_in(cloud, lambda: back(cloud, second), reads_too=False)
    assert version(cloud) == older
    for number in places:
        for goes_on, end in ((back, older), (Cloud.up, wanted)):
            cloud.up(second)
            spoilt(cloud, lambda: back(cloud, second), number, FAULTS[fault])
            goes_on(cloud, second)
            assert version(cloud) == end
            back(cloud, second)
            assert version(cloud) == older


@pytest.mark.parametrize("run", ["", "2", "3"], ids=["back at once", "up again, then back", "up to another, then back"])
@pytest.mark.parametrize("first", [PLAIN, COMPONENTS], ids=["plain", "components"])
def test_what_a_killed_up_left_never_becomes_the_version_before(cloud: Cloud, first: Config, run: str) -> None:
    cloud.up(first)
    older = version(cloud)
    places = places_in(cloud, lambda: cloud.up(newer(first)), reads_too=False)
    whole = version(cloud)
    for number in places:
        cloud.down()
        cloud.up(first)
        spoilt(cloud, lambda: cloud.up(newer(first)), number, FAULTS["killed"])
        came_to_its_end = not unfinished(cloud)
        if run:
            cloud.up(newer(first, run))
        back(cloud, newer(first))
        assert version(cloud) == (whole if came_to_its_end and run == "3" else older)
    assert came_to_its_end, "the last call notes it"


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


def test_rollback_after_an_up_that_failed_stays_where_it_is_twice_too(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.up(here := config(environment={"A": "2"}))
    second = version(cloud)
    cloud.double.fail_next("churn", BAD)
    with pytest.raises(DeployError):
        cloud.up(config(image=NEWER))
    for _ in range(2):
        back(cloud, here)
        assert version(cloud) == second


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


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        pytest.param({"mode": "batch", "batch": {"input": "s3://bucket/i/", "output": "s3://bucket/o/"}}, "realtime"),
        pytest.param({"async": {"output": "s3://bucket/o/"}, "scaling": {"max": 4, "target": 5}}, "async"),
        pytest.param(
            {"serverless": {"provisioned_concurrency": 2}, "scaling": {"max": 4, "target": 0.7}}, "serverless"
        ),
    ],
    ids=["beside batch", "async", "serverless"],
)
def test_rollback_needs_no_mode(cloud: Cloud, file: dict[str, Any], mode: str) -> None:
    """It follows from what the endpoint had, whatever the file is about by now."""
    cloud.up(parse({**TABLE, **file, "mode": mode}))
    first = version(cloud)
    cloud.up(parse({**TABLE, **file, "mode": mode, "environment": {"A": "2"}}))
    policies = cloud.aws.call("application-autoscaling", "DescribeScalingPolicies", ServiceNamespace="sagemaker")
    back(cloud, parse({**TABLE, **file, "mode": file.get("mode", "realtime")}))
    assert version(cloud) == first
    after = cloud.aws.call("application-autoscaling", "DescribeScalingPolicies", ServiceNamespace="sagemaker")
    assert after["ScalingPolicies"] == policies["ScalingPolicies"]


def test_file_that_cannot_be_used_is_in_nobodys_way(deploy: Deploy, cloud: Cloud, file: Path) -> None:
    deploy("up")
    first = version(cloud)
    deploy("up", "--image", NEWER)
    file.write_text('name = "churn"\nregion = "eu-west-1"\nimage = "half"\n')
    done = deploy("rollback")
    assert (done.code, version(cloud)) == (0, first)
    assert "warning: deploy.toml and flags: image is 'half'" in done.err


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


def test_version_without_components_is_refused_before_anything_is_changed(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.up(COMPONENTS)
    made = len(cloud.double.changes)
    with pytest.raises(DeployError, match="had no inference components") as caught:
        back(cloud, COMPONENTS)
    assert "run `up`: it removes them" in caught.value.next_step
    assert cloud.double.changes[made:] == []


def test_scaling_of_a_variant_that_the_older_version_has_not_is_left_out(cloud: Cloud) -> None:
    scaling = {"max": 4, "target": 700}
    cloud.up(config(variants=[{"name": "one"}], scaling=scaling))
    here = config(variants=[{"name": "one"}, {"name": "two"}], scaling=scaling)
    cloud.up(here)
    back(cloud, here)
    assert version(cloud)["scaled"] == ["endpoint/churn/variant/one"]


def test_up_that_does_not_wait_begins_all_components_and_the_next_sees_to_the_rest(cloud: Cloud) -> None:
    cloud.up(COMPONENTS)
    cloud.double.delays.updating_s = 3600
    done = cloud.up(newer(COMPONENTS), wait=False)["done"]
    assert [each for each in done if "component" in each] == [
        "update inference-component/churn-a",
        "update inference-component/churn-b",
    ]
    began = cloud.double.clock()
    cloud.double.clock = lambda: began + 3601
    cloud.up(newer(COMPONENTS))
    assert version(cloud)["parts"]["churn-b"]["ComputeResourceRequirements"]["MinMemoryRequiredInMb"] == 2048


def test_status_and_up_name_the_verb_that_goes_on(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    deploy("up", "--count", "2")
    (*_, last) = places_in(cloud, lambda: deploy("rollback"), reads_too=False)
    deploy("up", "--count", "2")
    spoilt(cloud, lambda: deploy("rollback"), last, FAULTS["refused"])
    told = deploy("status").out
    assert "`rollback` failed after endpoint/churn: AddTags was refused" in told
    assert "`python -m deploy rollback` goes on" in told
    assert "not come to its end" not in told, "the journal knows more"
    Path(".deploy/churn.json").unlink()
    assert "`rollback` has not come to its end; `python -m deploy rollback` goes on" in deploy("status").out
    assert "going on after" not in deploy("up", "--count", "2").err
    assert "not come to its end" not in deploy("status").out


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


@pytest.mark.parametrize("text", ["?", "e30=", "eJyrrgUAAXUA+Q=="])
def test_tags_that_cannot_be_read_are_no_version(text: str) -> None:
    assert noted(PREVIOUS, {"previous-config": "c", "previous-state-1": text}) in (None, State("c"))


def test_endpoint_whose_tags_know_a_configuration_only_goes_back_to_that(cloud: Cloud) -> None:
    """As they were before components were noted."""
    cloud.up(config())
    first = version(cloud)
    cloud.up(config(image=NEWER))
    arn = cloud.endpoint()["EndpointArn"]
    cloud.aws.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=["previous-state-1", "unfinished"])
    back(cloud, config())
    assert version(cloud)["configuration"] == first["configuration"]
