"""rollback goes to the version before, whole, whatever ended the runs in between; `up` goes forth again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.config import Config, parse
from deploy.errors import DeployError
from tests.deploy.configs import NEWER, TABLE, config
from tests.deploy.flow.conftest import Cloud, Deploy
from tests.deploy.flow.test_faults import FAULTS, places_in, spoilt
from tests.deploy.flow.versions import BAD, COMPONENTS, PLAIN, SCALED, back, newer, unfinished, version

pytestmark = pytest.mark.usefixtures("file")


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
