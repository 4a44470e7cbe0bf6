"""Endpoints that nobody has asked for days, and that are paid for. Called by the verbs cost and status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.aws import Aws
from deploy.names import MANAGED_BY

DAY_S = 86_400


@dataclass(frozen=True)
class Asked:
    """How often an endpoint was asked in the last days."""

    name: str
    created: dt.datetime
    requests: float
    days: int

    @property
    def idle(self) -> bool:
        """Nobody asked, though it was there all the time."""
        return not self.requests and self.created <= dt.datetime.now(dt.UTC) - dt.timedelta(days=self.days)

    def __str__(self) -> str:
        count = f"{self.requests:.0f} requests" if self.requests else "no request"
        return f"{self.name}: {count} in {self.days} days{'; remove it with `down`' if self.idle else ''}"


def endpoints(aws: Aws, days: int) -> list[Asked]:
    """Of all that was deployed from here, in this region."""
    found = aws.every("sagemaker", "ListEndpoints", "Endpoints", StatusEquals="InService")
    ours = [each for each in found if aws.tags(each["EndpointArn"]).get(MANAGED_BY[0]) == MANAGED_BY[1]]
    there = (aws.call("sagemaker", "DescribeEndpoint", EndpointName=each["EndpointName"]) for each in ours)
    return [asked(aws, each, days) for each in there]


def asked(aws: Aws, there: Mapping[str, Any], days: int) -> Asked:
    """there: what DescribeEndpoint says."""
    name = there["EndpointName"]
    queries = [_query(number, each) for number, each in enumerate(_dimensions(aws, there))]
    now = dt.datetime.now(dt.UTC)
    told = aws.every(
        "cloudwatch",
        "GetMetricData",
        "MetricDataResults",
        MetricDataQueries=queries,
        StartTime=now - dt.timedelta(days=days),
        EndTime=now,
    )
    return Asked(name, there["CreationTime"], sum(sum(each["Values"]) for each in told), days)


def _dimensions(aws: Aws, there: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """CloudWatch counts by variant, and by component where there are some; by endpoint alone it counts nothing."""
    name = there["EndpointName"]
    yield from ({"EndpointName": name, "VariantName": each["VariantName"]} for each in there["ProductionVariants"])
    found = aws.every("sagemaker", "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=name)
    yield from ({"InferenceComponentName": each["InferenceComponentName"]} for each in found)


def _query(number: int, dimensions: Mapping[str, str]) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": named}
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": DAY_S, "Stat": "Sum"}}
