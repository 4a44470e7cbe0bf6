"""Rules of Application Auto Scaling. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html,
async-inference-autoscale.html, endpoint-auto-scaling-zero-instances.html, serverless-endpoints-autoscale.html
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.call import Call
from deploy.problem import Problem
from deploy.requests.scaling import COPIES, INSTANCES, METRICS, PROVISIONED
from deploy.rules.parts import dig, of, variants


def bounds_are_in_order(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "RegisterScalableTarget"):
        least, most = call.parameters.get("MinCapacity", 0), call.parameters.get("MaxCapacity", 0)
        if least > most:
            yield Problem(call.key, f"scaling.min is {least}, above scaling.max, {most}")
    for call in of(calls, "PutScheduledAction"):
        bounds = call.parameters.get("ScalableTargetAction", {})
        if bounds.get("MinCapacity", 0) > bounds.get("MaxCapacity", bounds.get("MinCapacity", 0)):
            yield Problem(call.key, "a schedule's min is above its max")


def only_async_and_components_scale_to_zero(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "RegisterScalableTarget"):
        zero = call.parameters.get("MinCapacity") == 0
        if zero and call.parameters.get("ScalableDimension") == INSTANCES and not _is_async(calls):
            text = "scaling.min is 0; instances go to zero in mode async, or with inference components"
            yield Problem(call.key, text)


def a_metric_is_one_of_its_target(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "PutScalingPolicy"):
        predefined = dig(call.parameters, "TargetTrackingScalingPolicyConfiguration", "PredefinedMetricSpecification")
        metric, dimension = dig(predefined, "PredefinedMetricType"), call.parameters.get("ScalableDimension")
        known = {name: word for (kind, name), word in METRICS.items() if kind == dimension}
        if metric and metric not in known.values():
            yield Problem(call.key, f"scaling.metric {metric} is not measured here; there is {', '.join(known)}")


def async_scales_on_its_backlog(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "PutScalingPolicy"):
        told = call.parameters.get("TargetTrackingScalingPolicyConfiguration", {})
        backlog = "CustomizedMetricSpecification" in told
        if told and backlog != _is_async(calls) and call.parameters.get("ScalableDimension") == INSTANCES:
            text = (
                "mode async publishes no invocations; use metric backlog"
                if _is_async(calls)
                else "a backlog is mode async's"
            )
            yield Problem(call.key, text)


def serverless_scales_what_it_provisions(calls: list[Call]) -> Iterator[Problem]:
    provisioned = any(
        dig(each, "ServerlessConfig", "ProvisionedConcurrency")
        for call in of(calls, "CreateEndpointConfig")
        for each in variants(call)
    )
    for call in of(calls, "RegisterScalableTarget"):
        if call.parameters.get("ScalableDimension") == PROVISIONED and not provisioned:
            yield Problem(
                call.key, "serverless scales by itself; [scaling] is for provisioned_concurrency, which is not set"
            )


def a_start_is_within_the_bounds(calls: list[Call]) -> Iterator[Problem]:
    """A count outside of them is changed as soon as the target is registered."""
    for call in of(calls, "RegisterScalableTarget"):
        least, most = call.parameters.get("MinCapacity", 0), call.parameters.get("MaxCapacity", 0)
        begins = _begins(calls, call)
        if begins is not None and least <= most and not least <= begins <= most:
            text = f"it begins with {begins}, outside of scaling.min {least} and scaling.max {most}"
            yield Problem(call.key, text, warning=True)


def something_scales(calls: list[Call]) -> Iterator[Problem]:
    """A target without a policy or a schedule never changes."""
    policies = [call for call in calls if call.operation in ("PutScalingPolicy", "PutScheduledAction")]
    for call in of(calls, "RegisterScalableTarget"):
        if not any(each.parameters.get("ResourceId") == call.parameters.get("ResourceId") for each in policies):
            yield Problem(call.key, "nothing scales: [scaling] needs a target or schedules", warning=True)


def _is_async(calls: list[Call]) -> bool:
    return any("AsyncInferenceConfig" in call.parameters for call in of(calls, "CreateEndpointConfig"))


def _begins(calls: list[Call], target: Call) -> int | None:
    resource = str(target.parameters.get("ResourceId"))
    if target.parameters.get("ScalableDimension") == COPIES:
        counts = (call for call in of(calls, "CreateInferenceComponent") if resource.endswith(f"/{call.name}"))
        return next((dig(call.parameters, "RuntimeConfig", "CopyCount") for call in counts), None)
    for call in of(calls, "CreateEndpointConfig"):
        for each in variants(call):
            if resource.endswith(f"/variant/{each['VariantName']}"):
                begins: int | None = each.get("InitialInstanceCount")
                return begins or dig(each, "ServerlessConfig", "ProvisionedConcurrency")
    return None


SCALING_RULES = (
    bounds_are_in_order,
    only_async_and_components_scale_to_zero,
    a_metric_is_one_of_its_target,
    async_scales_on_its_backlog,
    serverless_scales_what_it_provisions,
    a_start_is_within_the_bounds,
    something_scales,
)
