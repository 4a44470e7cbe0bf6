"""All modes and features on the double: up, up again, update, down, and nothing is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.deploy.configs import FEATURES, JOBS, MODES, NEWER, config, feature
from tests.deploy.flow.conftest import Cloud

ALL = {**{name: config(name) for name in [*MODES, *JOBS]}, **{name: feature(name) for name in FEATURES}}


@pytest.mark.parametrize("name", ALL)
def test_up_update_and_down_and_the_same_input_twice_is_no_call(cloud: Cloud, name: str) -> None:
    for here in (ALL[name], replace(ALL[name], environment={"A": "2"})):
        cloud.up(here)
        assert cloud.changes_of(here) == []
    cloud.down(registry=True)
    assert cloud.left() == []
    assert cloud.down(registry=True) == []


@pytest.mark.parametrize("name", ["variants and weights", "components to zero"])
def test_only_what_runs_and_what_one_can_go_back_to_is_kept(cloud: Cloud, name: str) -> None:
    for generation in range(3):
        cloud.up(replace(feature(name), environment={"A": str(generation)}, instances=config().instances))
    kinds = [each.partition("/")[0] for each in cloud.double.shelf.left()]
    assert kinds.count("EndpointConfig") <= 2
    assert kinds.count("Model") <= 4


def test_plan_makes_no_call_that_changes_anything(cloud: Cloud) -> None:
    planned = cloud.plan(feature("components to zero"))
    assert len(planned.changes) > 5
    cloud.up(config())
    made = len(cloud.double.changes)
    assert cloud.plan(config(image=NEWER)).changes
    assert cloud.double.changes[made:] == []


def test_update_shows_what_is_new_field_by_field(cloud: Cloud) -> None:
    cloud.up(config(environment={"A": 1, "B": 2}))
    planned = cloud.plan(config(image=NEWER, environment={"A": 1}, instances={"count": 2}))
    told = {each.call.kind: [str(field) for field in each.fields] for each in planned.changes}
    assert told["model"] == [
        f"PrimaryContainer.Image: {config().image} -> {NEWER}",
        "PrimaryContainer.Environment.B: 2 -> not set",
    ]
    assert told["endpoint-config"][0].startswith("ProductionVariants[0].ModelName: churn-main-")
    assert told["endpoint-config"][1:] == ["ProductionVariants[0].InitialInstanceCount: 1 -> 2"]


def test_weights_changed_by_hand_are_a_difference(cloud: Cloud) -> None:
    here = feature("variants and weights")
    cloud.up(here)
    wanted = [{"VariantName": "old", "DesiredWeight": 1.0}, {"VariantName": "new", "DesiredInstanceCount": 5}]
    cloud.aws.call(
        "sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName="churn", DesiredWeightsAndCapacities=wanted
    )
    told = [str(field) for change in cloud.plan(here).changes for field in change.fields]
    assert told == ["old.DesiredWeight: 1.0 -> 9.0", "new.DesiredInstanceCount: 5 -> 2"]
    cloud.up(here)
    assert cloud.plan(here).changes == ()


def test_counts_that_scaling_came_to_are_kept_by_an_update(cloud: Cloud) -> None:
    here = feature("scaling by invocations")
    cloud.up(here)
    wanted = [{"VariantName": "main", "DesiredInstanceCount": 3}]
    cloud.aws.call(
        "sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName="churn", DesiredWeightsAndCapacities=wanted
    )
    assert cloud.plan(here).changes == (), "scaling is not drift"
    cloud.up(replace(here, environment={"A": "2"}))
    assert cloud.endpoint()["ProductionVariants"][0]["DesiredInstanceCount"] == 3


def test_scaling_is_unhooked_while_the_instance_type_changes(cloud: Cloud) -> None:
    """AWS refuses the update otherwise."""
    here = feature("scaling by invocations")
    cloud.up(here)
    made = cloud.changes_of(replace(here, instances=config(instances={"type": "ml.c5.large"}).instances))
    order = [each.partition(":")[2] for each in made]
    update = order.index("UpdateEndpoint")
    assert order.index("DeregisterScalableTarget") < update < order.index("RegisterScalableTarget")
    assert order[-2:] == ["PutScalingPolicy", "AddTags"]


def test_scaling_that_is_no_longer_wanted_goes(cloud: Cloud) -> None:
    cloud.up(feature("async to zero"))
    cloud.up(config("async"))
    assert [each for each in cloud.left() if "/" not in each or each.startswith("endpoint/")] == []


def test_component_that_is_no_longer_wanted_goes_and_its_model_when_rollback_no_longer_needs_it(cloud: Cloud) -> None:
    here = feature("components to zero")
    cloud.up(here)
    less = replace(here, components=here.components[:1])
    models = []
    for generation in "123":
        cloud.up(replace(less, environment={"A": generation}))
        left = cloud.double.shelf.left()
        assert [each for each in left if each.startswith("InferenceComponent/")] == ["InferenceComponent/churn-a"]
        models.append(sum(each.startswith("Model/") for each in left))
    assert models == [3, 2, 2], "what runs, and the version before: of two components at first"


def test_component_whose_name_ends_like_a_scaled_ones_is_not_scaled(cloud: Cloud) -> None:
    a, b = feature("components to zero").components
    here = replace(feature("components to zero"), components=(a, replace(b, name="big-a", copies=1)))
    cloud.up(here)
    (change,) = cloud.plan(replace(here, components=(a, replace(b, name="big-a", copies=2)))).changes
    assert [str(each) for each in change.fields] == ["RuntimeConfig.CopyCount: 1 -> 2"]


def test_job_that_is_done_is_not_run_twice_unless_asked_for(cloud: Cloud) -> None:
    here = config("batch")
    cloud.up(here)
    assert cloud.changes_of(here) == []
    cloud.up(here, again=True)
    jobs = [each for each in cloud.double.shelf.left() if each.startswith("TransformJob/")]
    assert [each.endswith("-2") for each in jobs] == [False, True]


def test_job_is_known_by_its_newest_run_and_one_that_failed_is_told_before_it_is_paid_for_again(cloud: Cloud) -> None:
    here = config("batch")
    cloud.up(here)
    cloud.up(here, again=True)
    *_, (name, job) = ((name, each) for (_, _, name), each in cloud.double.shelf.records.items() if "due" in each)
    assert cloud.plan(here).every[1].there["TransformJobName"] == name
    job |= {"TransformJobStatus": "Failed", "FailureReason": "AlgorithmError: See job logs."}
    planned = cloud.plan(here)
    assert planned.changes[0].call.name == name.replace("-2", "-3")
    told = "AlgorithmError: See job logs. It is to run once more, and to be paid for again."
    assert planned.warnings == (f"transform-job/{name} is Failed: {told}",)


def test_training_says_where_its_artifact_is(cloud: Cloud) -> None:
    assert cloud.up(config("training"))["artifact"].startswith("s3://bucket/out/churn-training-")


def test_registered_model_is_a_version_once_and_another_one_for_another_image(cloud: Cloud) -> None:
    cloud.up(config("register"))
    cloud.up(config("register", image=NEWER))
    cloud.up(config("register", image=NEWER))
    packages = [each for each in cloud.double.shelf.left() if each.startswith("ModelPackage/")]
    assert packages == ["ModelPackage/churn/1", "ModelPackage/churn/2"]
    cloud.down()
    assert "ModelPackage/churn/1" in cloud.double.shelf.left(), "the registry outlives the endpoint"
