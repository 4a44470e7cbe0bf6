"""Application Auto Scaling: targets, what is held, schedules, and waking up from zero. Called by requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy import names
from deploy.call import Call, Parameters, answer_of, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests.components import name_of
from deploy.requests.model import all_variants
from deploy.sections import Scaling, Schedule, Variant

SERVICE = "application-autoscaling"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"

METRICS = {
    (INSTANCES, "invocations"): "SageMakerVariantInvocationsPerInstance",
    (INSTANCES, "concurrency"): "SageMakerVariantConcurrentRequestsPerModelHighResolution",
    (PROVISIONED, "utilization"): "SageMakerVariantProvisionedConcurrencyUtilization",
    (COPIES, "invocations"): "SageMakerInferenceComponentInvocationsPerCopy",
    (COPIES, "concurrency"): "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution",
}
BACKLOG = "ApproximateBacklogSizePerInstance"
"""Async alone: invocations are not published for it, https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html"""


@dataclass(frozen=True)
class Target:
    """What is scaled."""

    resource: str
    dimension: str
    label: str
    wake_metric: str
    """Tells that somebody waits while there is nothing to serve them."""
    wake_dimension: tuple[str, str]

    @property
    def parameters(self) -> Parameters:
        return {"ServiceNamespace": "sagemaker", "ResourceId": self.resource, "ScalableDimension": self.dimension}


def scaling(config: Config, facts: Facts) -> Iterator[Call]:
    if config.scaling:
        for target in _variants(config):
            yield from _calls(config, facts, target, config.scaling)
    for component in config.components:
        if component.scaling:
            yield from _calls(config, facts, _copies(name_of(config, component)), component.scaling)


def scaled_variants(config: Config) -> tuple[Variant, ...]:
    """All but a shadow."""
    return config.variants or all_variants(config)[:1]


def _variants(config: Config) -> Iterator[Target]:
    dimension = PROVISIONED if config.mode == "serverless" else INSTANCES
    for each in scaled_variants(config):
        resource = f"endpoint/{config.name}/variant/{each.name}"
        yield Target(
            resource,
            dimension,
            f"{config.name}-{each.name}",
            "HasBacklogWithoutCapacity",
            ("EndpointName", config.name),
        )


def _copies(component: str) -> Target:
    dimension = ("InferenceComponentName", component)
    return Target(f"inference-component/{component}", COPIES, component, "NoCapacityInvocationFailures", dimension)


def _calls(config: Config, facts: Facts, target: Target, wanted: Scaling) -> Iterator[Call]:
    bounds = {"MinCapacity": wanted.min, "MaxCapacity": wanted.max, "Tags": names.tags(config, facts)}
    yield Call(SERVICE, "RegisterScalableTarget", target.parameters | bounds, f"scalable-target/{target.resource}")
    if wanted.target is not None:
        yield _policy(config, target, wanted)
    if wanted.min == 0:
        yield from _wake(config, facts, target)
    for each in wanted.schedules:
        yield _schedule(target, each)


def _policy(config: Config, target: Target, wanted: Scaling) -> Call:
    metric = wanted.metric or _usual(config, target)
    told = given(
        TargetValue=wanted.target,
        **_specification(config, target, metric),
        ScaleInCooldown=wanted.scale_in_cooldown_s,
        ScaleOutCooldown=wanted.scale_out_cooldown_s,
    )
    return _put_policy(
        target, f"{target.label}-{metric}", "TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=told
    )


def _usual(config: Config, target: Target) -> str:
    return "backlog" if config.mode == "async" else "utilization" if target.dimension == PROVISIONED else "invocations"


def _specification(config: Config, target: Target, metric: str) -> Parameters:
    if metric != "backlog":
        predefined = METRICS.get((target.dimension, metric), metric)  # rules name a metric that is not there
        return {"PredefinedMetricSpecification": {"PredefinedMetricType": predefined}}
    named = {"MetricName": BACKLOG, "Namespace": "AWS/SageMaker", "Statistic": "Average"}
    dimensions = [{"Name": "EndpointName", "Value": config.name}]
    return {"CustomizedMetricSpecification": {**named, "Dimensions": dimensions}}


def _put_policy(target: Target, name: str, kind: str, **policy: Parameters) -> Call:
    parameters = {"PolicyName": name, **target.parameters, "PolicyType": kind, **policy}
    return Call(SERVICE, "PutScalingPolicy", parameters, f"scaling-policy/{name}")


def _wake(config: Config, facts: Facts, target: Target) -> Iterator[Call]:
    """Target tracking cannot leave zero: nothing is measured there. A step on an alarm does."""
    step = given(
        AdjustmentType="ChangeInCapacity",
        MetricAggregationType="Average",
        Cooldown=300,
        StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
    )
    policy = _put_policy(target, f"{target.label}-wake", "StepScaling", StepScalingPolicyConfiguration=step)
    yield policy
    name, (dimension, value) = f"{target.label}-wake", target.wake_dimension
    alarm = {
        "AlarmName": name,
        "AlarmDescription": f"Requests wait for {value}, which has been scaled to zero.",
        "Namespace": "AWS/SageMaker",
        "MetricName": target.wake_metric,
        "Dimensions": [{"Name": dimension, "Value": value}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [answer_of(policy.key, "PolicyARN")],
        "Tags": names.as_list(names.tags(config, facts)),
    }
    yield Call("cloudwatch", "PutMetricAlarm", alarm, f"alarm/{name}")


def _schedule(target: Target, wanted: Schedule) -> Call:
    parameters = given(
        **target.parameters,
        ScheduledActionName=(name := f"{target.label}-{wanted.name}"),
        Schedule=wanted.at,
        Timezone=wanted.timezone,
        ScalableTargetAction=given(MinCapacity=wanted.min, MaxCapacity=wanted.max),
    )
    return Call(SERVICE, "PutScheduledAction", parameters, f"scheduled-action/{name}")
