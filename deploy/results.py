"""What jobs and the registry have come to: status, why not, and where the result is. Called by plan, up and status."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deploy import owned
from deploy.aws import Aws
from deploy.kinds import JOBS, KINDS, Description
from deploy.wait import GOOD

Told = dict[str, Any]

NEWEST_FIRST = {"SortBy": "CreationTime", "SortOrder": "Descending"}
"""To be said: ListTrainingJobs begins with the oldest, ListTransformJobs with the newest."""


def of_job(key: str, there: Description) -> Told:
    """A job as AWS describes it, with its result where it came to its good end."""
    kind = key.partition("/")[0]
    status = there[KINDS[kind].status]
    told = {"job": key, "status": status, "reason": there.get("FailureReason", "")}
    return told | (RESULTS[kind](there) if status in GOOD else {})


def _recommended(there: Description) -> Told:
    """As AWS tells it; what it has not measured is NaN, which JSON does not know."""
    found = there.get("InferenceRecommendations", ())
    return {"recommendations": [{**each, "Metrics": _measured(each.get("Metrics", {}))} for each in found]}


def _measured(metrics: Mapping[str, float]) -> Mapping[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in metrics.items()}


RESULTS: dict[str, Callable[[Description], Told]] = {
    "training-job": lambda there: {"artifact": there["ModelArtifacts"]["S3ModelArtifacts"]},
    "transform-job": lambda there: {"answers": there["TransformOutput"]["S3OutputPath"]},
    "recommender-job": _recommended,
}


def of_package(arn: str) -> Told:
    """A version of the registry: arn:...:model-package/GROUP/1."""
    return {"package": arn, "package_version": int(arn.rpartition("/")[2])}


def newest_jobs(aws: Aws, app: str) -> Iterator[Told]:
    """The newest job of each kind, running or ended."""
    for kind in JOBS:
        if newest := next(owned.named(aws, kind, app, **NEWEST_FIRST), None):
            row = KINDS[kind]
            there = aws.call("sagemaker", row.describe, **{row.name: newest.name})
            yield of_job(newest.key, there) | {"begun": there["CreationTime"]}


def newest_package(aws: Aws, group: str) -> Told | None:
    """The newest registered version, whoever registered it."""
    scope = {"ModelPackageGroupName": group}
    if not aws.find("sagemaker", "DescribeModelPackageGroup", **scope):
        return None
    found = aws.every("sagemaker", "ListModelPackages", "ModelPackageSummaryList", **scope, **NEWEST_FIRST)
    newest = next(found, None)
    if newest is None:
        return None
    return of_package(newest["ModelPackageArn"]) | {"approval": newest.get("ModelApprovalStatus", "")}


def nothing_to_do(job: Told) -> str:
    """Why, where it is because of a job."""
    if not job:
        return "nothing to do"
    again = "; `--again` runs it once more" if job["status"] in GOOD else ""
    return f"nothing to do: {job['job']} is {job['status']}{again}"


def lines(told: Told) -> Iterator[str]:
    """The result for people."""
    if "artifact" in told:
        yield f'artifact = "{told["artifact"]}"'
    if "answers" in told:
        yield f"answers: {told['answers']}, FILE.out for each FILE"
    if "package" in told:
        yield f"version {told['package_version']}: {told['package']}"
    if "recommendations" in told:
        yield from _table([HEAD, *map(_row, told["recommendations"])])


HEAD = ("instance", "count", "USD an hour", "USD an inference", "invocations a minute", "latency")
"""Units: https://docs.aws.amazon.com/sagemaker/latest/dg/inference-recommender-interpret-results.html"""
FORMS = {"CostPerHour": "{:.3f}", "CostPerInference": "{:.7f}", "MaxInvocations": "{}", "ModelLatency": "{} ms"}


def _row(each: Told) -> tuple[str, ...]:
    where, metrics = each["EndpointConfiguration"], each["Metrics"]
    told = [where.get("InstanceType", "serverless"), str(where.get("InitialInstanceCount", "-"))]
    told += [form.format(metrics[name]) if metrics.get(name) is not None else "-" for name, form in FORMS.items()]
    return tuple(told)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
