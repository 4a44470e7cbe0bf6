"""How AWS's things are made, described, listed and removed: a row a kind. Called by plan, apply, owned and down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.aws import Aws
from deploy.call import Call

Description = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One of SageMaker's kinds that have a name."""

    name: str
    """The field of the name."""
    describe: str
    arn: str
    delete: str = ""
    stop: str = ""
    listing: str = ""
    """Operation that lists; its items are in `items`, and it takes NameContains."""
    items: str = ""
    status: str = ""


KINDS: dict[str, Kind] = {
    "model": Kind("ModelName", "DescribeModel", "ModelArn", "DeleteModel", listing="ListModels", items="Models"),
    "endpoint-config": Kind(
        "EndpointConfigName",
        "DescribeEndpointConfig",
        "EndpointConfigArn",
        "DeleteEndpointConfig",
        listing="ListEndpointConfigs",
        items="EndpointConfigs",
    ),
    "endpoint": Kind(
        "EndpointName",
        "DescribeEndpoint",
        "EndpointArn",
        "DeleteEndpoint",
        listing="ListEndpoints",
        items="Endpoints",
        status="EndpointStatus",
    ),
    "inference-component": Kind(
        "InferenceComponentName",
        "DescribeInferenceComponent",
        "InferenceComponentArn",
        "DeleteInferenceComponent",
        listing="ListInferenceComponents",
        items="InferenceComponents",
        status="InferenceComponentStatus",
    ),
    "transform-job": Kind(
        "TransformJobName",
        "DescribeTransformJob",
        "TransformJobArn",
        stop="StopTransformJob",
        listing="ListTransformJobs",
        items="TransformJobSummaries",
        status="TransformJobStatus",
    ),
    "training-job": Kind(
        "TrainingJobName",
        "DescribeTrainingJob",
        "TrainingJobArn",
        stop="StopTrainingJob",
        listing="ListTrainingJobs",
        items="TrainingJobSummaries",
        status="TrainingJobStatus",
    ),
    "recommender-job": Kind(
        "JobName",
        "DescribeInferenceRecommendationsJob",
        "JobArn",
        stop="StopInferenceRecommendationsJob",
        listing="ListInferenceRecommendationsJobs",
        items="InferenceRecommendationsJobs",
        status="Status",
    ),
    "model-package-group": Kind(
        "ModelPackageGroupName",
        "DescribeModelPackageGroup",
        "ModelPackageGroupArn",
        "DeleteModelPackageGroup",
        listing="ListModelPackageGroups",
        items="ModelPackageGroupSummaryList",
    ),
}

JOBS = ("transform-job", "training-job", "recommender-job")


def described(aws: Aws, call: Call) -> Description | None:
    """What AWS has of what this call makes, in the words of the call; None where there is nothing."""
    if kind := KINDS.get(call.kind):
        return aws.find("sagemaker", kind.describe, **{kind.name: call.parameters[kind.name]})
    return OTHERS[call.kind](aws, call)


def _scaling(operation: str, items: str, name: str) -> Callable[[Aws, Call], Description | None]:
    """Application Auto Scaling describes by filters."""

    def look(aws: Aws, call: Call) -> Description | None:
        told = call.parameters
        among = {"ResourceIds": [told["ResourceId"]]} if not name else {"ResourceId": told["ResourceId"]}
        scope = {"ServiceNamespace": told["ServiceNamespace"], "ScalableDimension": told["ScalableDimension"]}
        found = aws.every(call.service, operation, items, **scope, **among)
        return next((each for each in found if not name or each[name] == told[name]), None)

    return look


def _alarm(aws: Aws, call: Call) -> Description | None:
    found = aws.call("cloudwatch", "DescribeAlarms", AlarmNames=[call.name])["MetricAlarms"]
    return found[0] if found else None


def _package(aws: Aws, call: Call) -> Description | None:
    """A version has no name; its description begins with the digest of what it is."""
    group, digest = call.parameters["ModelPackageGroupName"], call.name.rpartition("-")[2]
    if not aws.find("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName=group):
        return None
    found = aws.every("sagemaker", "ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=group)
    return next((each for each in found if each.get("ModelPackageDescription", "").startswith(digest)), None)


OTHERS: dict[str, Callable[[Aws, Call], Description | None]] = {
    "scalable-target": _scaling("DescribeScalableTargets", "ScalableTargets", ""),
    "scaling-policy": _scaling("DescribeScalingPolicies", "ScalingPolicies", "PolicyName"),
    "scheduled-action": _scaling("DescribeScheduledActions", "ScheduledActions", "ScheduledActionName"),
    "alarm": _alarm,
    "model-package": _package,
}
