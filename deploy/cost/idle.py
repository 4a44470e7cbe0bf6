"""Endpoints that nobody has asked for days, and that are paid for. Called by the verbs cost and status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.aws import Aws
from deploy.names import MANAGED_BY

DAY_S = 86_400
UNITS = (("day", DAY_S), ("hour", 3600), ("minute", 60))

BACKLOG = "backlog"
"""How the queries of what waits are called, to tell them from those of what was asked."""
Metric = tuple[str, str, dict[str, str]]
"""Name, statistic, dimensions."""


@dataclass(frozen=True)
class Asked:
    """How often an endpoint was asked in the last days."""

    name: str
    age: dt.timedelta
    requests: float
    waiting: float
    """The most that waited at once, where requests wait: mode async."""
    days: int

    @property
    def young(self) -> bool:
        """It was not there all the time."""
        return self.age < dt.timedelta(days=self.days)

    @property
    def idle(self) -> bool:
        """Nobody asked, though it was there all the time."""
        return not (self.requests or self.waiting or self.young)

    def __str__(self) -> str:
        count = f"{self.requests:.0f} request{'s' * (self.requests != 1)}" if self.requests else "no request"
        if self.waiting and not self.requests:
            count = f"no request answered, up to {self.waiting:.0f} waiting,"
        span = f"since it was made, {_ago(self.age)}" if self.young else f"in {_counted(self.days, 'day')}"
        return f"{self.name}: {count} {span}{f'; remove it with `down --name {self.name}`' if self.idle else ''}"


def _ago(age: dt.timedelta) -> str:
    counts = ((unit, int(age.total_seconds() // seconds)) for unit, seconds in UNITS)
    return next((f"{_counted(count, unit)} ago" for unit, count in counts if count), "just now")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' * (count != 1)}"


def endpoints(aws: Aws, days: int) -> list[Asked]:
    """Of all that was deployed from here, in this region."""
    found = aws.every("sagemaker", "ListEndpoints", "Endpoints", StatusEquals="InService")
    ours = [each for each in found if aws.tags(each["EndpointArn"]).get(MANAGED_BY[0]) == MANAGED_BY[1]]
    there = (aws.call("sagemaker", "DescribeEndpoint", EndpointName=each["EndpointName"]) for each in ours)
    return [asked(aws, each, days) for each in there]


def asked(aws: Aws, there: Mapping[str, Any], days: int) -> Asked:
    """there: what DescribeEndpoint says."""
    queries = [_query(number, *each) for number, each in enumerate(_metrics(aws, there))]
    now = dt.datetime.now(dt.UTC)
    told = aws.every(
        "cloudwatch",
        "GetMetricData",
        "MetricDataResults",
        MetricDataQueries=queries,
        StartTime=now - dt.timedelta(days=days),
        EndTime=now,
    )
    requests = waiting = 0.0
    for each in told:
        if each["Id"].startswith(BACKLOG):
            waiting = max([waiting, *each["Values"]])
        else:
            requests += sum(each["Values"])
    return Asked(there["EndpointName"], now - there["CreationTime"], requests, waiting, days)


def _metrics(aws: Aws, there: Mapping[str, Any]) -> Iterator[Metric]:
    """Of each kind of endpoint what is published for it, under all of the dimensions that it is published under.

    Async publishes no Invocations; its page says InvocationsProcesssed, with three s, which CloudWatch does not have:
    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html, and for what real endpoints publish
    https://github.com/cloud-custodian/cloud-custodian/blob/main/c7n/data/sagemaker_metrics.yaml
    """
    name = there["EndpointName"]
    variants = [{"EndpointName": name, "VariantName": each["VariantName"]} for each in there["ProductionVariants"]]
    if "AsyncInferenceConfig" in there:
        yield from (("InvocationsProcessed", "Sum", each) for each in variants)
        yield "ApproximateBacklogSize", "Maximum", {"EndpointName": name}
        return
    found = aws.every("sagemaker", "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=name)
    parts = [{"InferenceComponentName": each["InferenceComponentName"]} for each in found]
    yield from (("Invocations", "Sum", each) for each in parts or variants)


def _query(number: int, name: str, statistic: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": named}
    identity = f"{BACKLOG if statistic == 'Maximum' else 'requests'}{number}"
    return {"Id": identity, "MetricStat": {"Metric": metric, "Period": DAY_S, "Stat": statistic}}
