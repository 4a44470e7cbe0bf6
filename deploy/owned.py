"""What carries our tags: found by name and tag, so that nothing has to be remembered. Called by plan, down and status.

A killed `up`, another machine, a lost journal: what is there is there, and says whose it is.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy import names
from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.kinds import KINDS
from deploy.requests.scaling import SERVICE

PAGE = 100
"""The most that SageMaker lists at once; by itself it says 10."""


@dataclass(frozen=True)
class Owned:
    kind: str
    name: str
    arn: str
    created: Any = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"


def is_ours(tags: Mapping[str, str], app: str) -> bool:
    name, value = names.MANAGED_BY
    return tags.get(name) == value and tags.get(names.APP) == app


def refuse_foreign(tags: Mapping[str, str], app: str) -> None:
    """Raises DeployError for an endpoint that was not made here."""
    if not is_ours(tags, app):
        name, value = names.MANAGED_BY
        raise DeployError(
            f"The endpoint {app} is there and was not made here: it has no tag {name} = {value}.",
            f"Take another name, or tag the endpoint {name} = {value} and {names.APP} = {app}.",
        )


def endpoint(aws: Aws, app: str) -> Mapping[str, Any] | None:
    return aws.find("sagemaker", "DescribeEndpoint", EndpointName=app)


def missing(aws: Aws, app: str) -> DeployError:
    """For verbs that need an endpoint."""
    return DeployError(
        f"There is no endpoint {app} in {aws.region}.", "Run `python -m deploy up`, in a mode that has one."
    )


def named(aws: Aws, kind: str, app: str, but: Container[str] = (), **filters: Any) -> Iterator[Owned]:
    """What we made for this app, by name and tags; those in `but` are not looked at."""
    row, prefix = KINDS[kind], names.prefix_of(app)
    for each in aws.every("sagemaker", row.listing, row.items, NameContains=prefix, MaxResults=PAGE, **filters):
        if each[row.name].startswith(prefix) and each[row.name] not in but:
            tags = aws.tags(each[row.arn])
            if is_ours(tags, app):
                yield Owned(kind, each[row.name], each[row.arn], each.get("CreationTime"), tags)


def components(aws: Aws, app: str) -> list[Owned]:
    """Of our endpoint: they cannot be without it, and are looked for by it."""
    found = aws.every(
        "sagemaker", "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=app, MaxResults=PAGE
    )
    arns = [(each["InferenceComponentName"], each["InferenceComponentArn"]) for each in found]
    tagged = [(name, arn, aws.tags(arn)) for name, arn in arns]
    return [Owned("inference-component", name, arn, tags=tags) for name, arn, tags in tagged if is_ours(tags, app)]


def targets(aws: Aws, app: str, parts: list[str]) -> list[dict[str, Any]]:
    """Scalable targets of the endpoint's variants and of these components."""
    found = aws.every(SERVICE, "DescribeScalableTargets", "ScalableTargets", ServiceNamespace="sagemaker")
    resources = {f"inference-component/{each}" for each in parts}
    mine = (each for each in found if each["ResourceId"] in resources or _of_endpoint(each["ResourceId"], app))
    return list(mine)


def policies(aws: Aws, target: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(aws.every(SERVICE, "DescribeScalingPolicies", "ScalingPolicies", **scope(target)))


def schedules(aws: Aws, target: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(aws.every(SERVICE, "DescribeScheduledActions", "ScheduledActions", **scope(target)))


def alarms(aws: Aws, app: str) -> list[Owned]:
    """Those that wake from zero; AWS makes and removes those of target tracking itself."""
    found = aws.every("cloudwatch", "DescribeAlarms", "MetricAlarms", AlarmNamePrefix=app)
    ours = []
    for each in found:
        answer = aws.call("cloudwatch", "ListTagsForResource", ResourceARN=each["AlarmArn"])
        tags = names.as_mapping(answer.get("Tags", ()))
        if is_ours(tags, app):
            ours.append(Owned("alarm", each["AlarmName"], each["AlarmArn"], tags=tags))
    return ours


def scope(target: Mapping[str, Any]) -> dict[str, str]:
    return {name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}


def _of_endpoint(resource: str, app: str) -> bool:
    return resource.startswith(f"endpoint/{app}/variant/")
