"""The double behaves as AWS is known to, where moto does not: states, roll-backs, duplicates, limits, faults."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
from botocore.model import Shape

from tests.deploy.double import Double
from tests.deploy.double.shapes import readable
from tests.deploy.double.table import HANDLERS
from tests.deploy.made import IMAGE, ROLE, Client, config, endpoint, is_, model, refusal, status
from tests.system.client import wait_until


def test_endpoint_is_creating_then_in_service_then_updating_deleting_and_gone(sagemaker: Any) -> None:
    endpoint(sagemaker)
    assert status(sagemaker) == "Creating"
    is_(sagemaker, "InService")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="d")
    assert status(sagemaker) == "Updating"
    is_(sagemaker, "InService")
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointConfigName"] == "d"
    sagemaker.delete_endpoint(EndpointName="e")
    assert status(sagemaker) == "Deleting"
    wait_until(lambda: sagemaker.list_endpoints()["Endpoints"] == [], 5, "it is gone")
    code, message = refusal(lambda: status(sagemaker))
    assert (code, "Could not find endpoint" in message) == ("ValidationException", True)


def test_failed_update_is_in_service_again_with_the_old_configuration(double: Double, sagemaker: Any) -> None:
    """The stock waiter takes this for success."""
    endpoint(sagemaker)
    is_(sagemaker, "InService")
    double.fail_next("e", "no ping")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="d")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig={"Delay": 0})
    told = sagemaker.describe_endpoint(EndpointName="e")
    assert (told["EndpointConfigName"], told["FailureReason"]) == ("c", "no ping")


@pytest.mark.parametrize("ends_as", ["UpdateRollbackFailed", "OutOfService", "Failed"])
def test_failed_update_can_end_worse(ends_as: str, double: Double, sagemaker: Any) -> None:
    endpoint(sagemaker)
    is_(sagemaker, "InService")
    double.fail_next("e", "no capacity", ends_as)
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="d")
    is_(sagemaker, ends_as)


def test_creation_without_a_ping_fails_with_the_platforms_reason(double: Double, sagemaker: Any) -> None:
    double.routes["e"], double.delays.ping_s = "http://127.0.0.1:9", 0
    endpoint(sagemaker)
    is_(sagemaker, "Failed")
    assert "did not pass the ping health check" in sagemaker.describe_endpoint(EndpointName="e")["FailureReason"]


def test_endpoint_that_is_busy_is_neither_updated_nor_deleted(double: Double, sagemaker: Any) -> None:
    double.delays.creating_s = 60
    endpoint(sagemaker)
    for call in (lambda: sagemaker.delete_endpoint(EndpointName="e"), lambda: update(sagemaker, "d")):
        assert "in-progress endpoint" in refusal(call)[1]


def update(sagemaker: Any, config_name: str) -> None:
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName=config_name)


def test_update_needs_another_configuration(sagemaker: Any) -> None:
    endpoint(sagemaker)
    is_(sagemaker, "InService")
    assert refusal(lambda: update(sagemaker, "c"))[0] == "ValidationException"


def test_names_are_taken_once(sagemaker: Any) -> None:
    endpoint(sagemaker)
    for call in (
        lambda: model(sagemaker),
        lambda: config(sagemaker),
        lambda: sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c"),
    ):
        assert refusal(call)[1].startswith("Cannot create already existing")


def test_what_does_not_exist_cannot_be_named(sagemaker: Any) -> None:
    assert "Could not find model" in refusal(lambda: config(sagemaker))[1]
    create = sagemaker.create_endpoint
    assert "endpoint configuration" in refusal(lambda: create(EndpointName="e", EndpointConfigName="c"))[1]


def test_all_that_was_given_is_told(sagemaker: Any) -> None:
    """moto drops some of it."""
    given: dict[str, Any] = {
        "EnableNetworkIsolation": True,
        "InferenceExecutionConfig": {"Mode": "Direct"},
        "Containers": [{"ContainerHostname": name, "Image": IMAGE} for name in ("a", "b")],
    }
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, **given)
    told = sagemaker.describe_model(ModelName="m")
    assert {name: told[name] for name in given} == given


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ModelName": "a_b"}, "does not match"),
        ({"ModelName": "a" * 64}, "64 is more than 63"),
        ({"InferenceExecutionConfig": {"Mode": "Parallel"}}, "none of the 2 values"),
        ({"Containers": [{"Image": IMAGE}] * 16}, "16 is more than 15"),
        ({"Tags": [{"Key": str(each), "Value": ""} for each in range(51)]}, "51 is more than 50"),
        ({"ModelName": "both", "Containers": [{"Image": IMAGE}]}, "Exactly one of"),
    ],
)
def test_every_limit_of_the_service_model_is_held(wrong: dict[str, Any], told: str, sagemaker: Any) -> None:
    container = {} if wrong.get("ModelName") == "c" else {"PrimaryContainer": {"Image": IMAGE}}
    request = {"ModelName": "m", "ExecutionRoleArn": ROLE, **container, **wrong}
    code, message = refusal(lambda: sagemaker.create_model(**request))
    assert (code, told in message) == ("ValidationException", True), message


def patterns(shape: Shape, seen: set[str]) -> set[str]:
    """Every pattern in a shape and all that it holds."""
    if shape.name in seen:
        return set()
    seen.add(shape.name)
    inner = [*getattr(shape, "members", {}).values()]
    inner += [getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)]
    own = {shape.metadata["pattern"]} if "pattern" in shape.metadata else set()
    return own.union(*(patterns(each, seen) for each in inner))


def test_nearly_every_pattern_of_what_a_deployment_asks_is_checked(sagemaker: Any) -> None:
    """The exceptions are free text: tags and descriptions, whose letters Python's re has no class for."""
    model = sagemaker.meta.service_model
    asked = [operation for service, operation in HANDLERS if service == "sagemaker"]
    seen: set[str] = set()
    found = set().union(*(patterns(model.operation_model(each).input_shape, seen) for each in asked))
    unread = {each for each in found if readable(each) is None}
    assert (len(found) > 50, len(unread) <= 6) == (True, True), unread
    assert [each for each in unread if r"\p{" not in each and "uD7FF" not in each] == []


# the rest of what moto lacks


def test_component_goes_through_its_states_and_back_where_an_update_fails(double: Double, sagemaker: Any) -> None:
    endpoint(sagemaker)
    name = {"InferenceComponentName": "i"}
    seconds = 0.0
    double.clock = lambda: seconds

    def told(then: float) -> tuple[str, str, int]:
        nonlocal seconds
        seconds = then
        here = sagemaker.describe_inference_component(**name)
        copies = here["RuntimeConfig"]["CurrentCopyCount"]
        return here["InferenceComponentStatus"], here["Specification"]["ModelName"], copies

    sagemaker.create_inference_component(**name, EndpointName="e", VariantName="main", Specification={"ModelName": "m"})
    code, message = refusal(lambda: sagemaker.update_inference_component(**name, Specification={"ModelName": "n"}))
    assert (code, "Cannot update in-progress inference component" in message) == ("ValidationException", True)
    assert told(0)[0] == "Creating"
    assert told(1) == ("InService", "m", 1)
    sagemaker.update_inference_component_runtime_config(**name, DesiredRuntimeConfig={"CopyCount": 0})
    assert (told(1), told(2)) == (("Updating", "m", 1), ("InService", "m", 0))
    double.fail_next("i", "no such model")
    sagemaker.update_inference_component(**name, Specification={"ModelName": "n"})
    assert told(3) == ("InService", "m", 0)
    assert sagemaker.describe_inference_component(**name)["FailureReason"] == "no such model"
    sagemaker.delete_inference_component(**name)
    assert sagemaker.list_inference_components()["InferenceComponents"][0]["InferenceComponentStatus"] == "Deleting"
    seconds = 4
    assert sagemaker.list_inference_components()["InferenceComponents"] == []


def test_packages_live_and_are_gone(double: Double, sagemaker: Any) -> None:
    endpoint(sagemaker)
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    container = {"Containers": [{"Image": IMAGE}], "SupportedContentTypes": ["text/csv"]}
    container["SupportedResponseMIMETypes"] = ["text/csv"]
    made = sagemaker.create_model_package(ModelPackageGroupName="g", InferenceSpecification=container)
    package = made["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    told = sagemaker.describe_model_package(ModelPackageName=package)
    assert (told["ModelApprovalStatus"], told["ModelPackageVersion"]) == ("Approved", 1)
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName="g")
    assert double.shelf.left() == ["Model/m", "EndpointConfig/c", "EndpointConfig/d", "Endpoint/e"]


def test_training_job_ends_with_an_artifact(sagemaker: Any) -> None:
    sagemaker.create_training_job(
        TrainingJobName="t",
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://b/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="t", WaiterConfig={"Delay": 0})
    artifact = sagemaker.describe_training_job(TrainingJobName="t")["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == "s3://b/out/t/output/model.tar.gz"


def test_tags_are_found_by_the_tagging_service(sagemaker: Any, client: Client) -> None:
    model(sagemaker, Tags=[{"Key": "app", "Value": "churn"}])
    arn = sagemaker.describe_model(ModelName="m")["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "more", "Value": "1"}])
    wanted = [{"Key": "app", "Values": ["churn"]}]
    found = client("resourcegroupstaggingapi").get_resources(TagFilters=wanted)["ResourceTagMappingList"]
    assert [(each["ResourceARN"], len(each["Tags"])) for each in found] == [(arn, 2)]


def test_lists_come_in_pages_and_can_be_narrowed(sagemaker: Any) -> None:
    for each in range(5):
        model(sagemaker, f"m{each}")
    pages = list(sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Models"]) for page in pages] == [2, 2, 1]
    (found,) = sagemaker.list_models(NameContains="3")["Models"]
    assert found["ModelName"] == "m3"


def test_policy_simulator_denies_what_the_test_says(double: Double, client: Client) -> None:
    double.denied = {"iam:PassRole"}
    told = client("iam").simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["iam:PassRole", "sagemaker:CreateModel"]
    )
    decisions = {each["EvalActionName"]: each["EvalDecision"] for each in told["EvaluationResults"]}
    assert decisions == {"iam:PassRole": "implicitDeny", "sagemaker:CreateModel": "allowed"}


def test_all_dimensions_of_scaling_are_known(client: Client) -> None:
    scaling = client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "inference-component/i",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=2)
    (told,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert {name: told[name] for name in target} == target


def test_unknown_call_is_not_taken_for_one_to_repeat(client: Client) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client("sagemaker").create_image_version(ImageName="i", BaseImage="b", ClientToken="t" * 32)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
