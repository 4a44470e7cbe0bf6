"""Why AWS ended in a state that nobody asked for: its reason, the last log lines, the probable cause, what to do.

Called by the verbs for wait.Failed, and by status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.refusals import NotFound
from deploy.wait import Failed

LINES = 20

GROUPS = {
    "endpoint": "/aws/sagemaker/Endpoints/{}",
    "inference-component": "/aws/sagemaker/InferenceComponents/{}",
    "transform-job": "/aws/sagemaker/TransformJobs",
    "training-job": "/aws/sagemaker/TrainingJobs",
    "recommender-job": "/aws/sagemaker/InferenceRecommendationsJobs",
}

CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"exec format error",
        "The image is of another CPU than the instance: build with ./build_and_push.sh --instance-type TYPE.",
    ),
    (
        r"cannotstartcontainer|executable file not found|exec:? .*permission denied",
        "The container does not start: try `docker run --rm IMAGE serve`.",
    ),
    (
        r"manifest media type|image\.index|image\.manifest",
        "SageMaker takes Docker's manifest, version 2, schema 2: push with ./build_and_push.sh.",
    ),
    (
        r"alarm",
        "An alarm of [update] went off while the new version took requests, and AWS turned it back. "
        "Look at the alarm and at the new version's errors.",
    ),
    (
        r"resource ?limit|quota|limit exceeded",
        "Ask for a higher quota of this instance type, or take another type.",
    ),
    (
        r"insufficient.*capacity|capacity error|unable to provision",
        "AWS has no such instance free now: take another type or region, or try again later.",
    ),
    (
        r"out of memory|memoryerror|\bkilled\b|signal 9",
        "The model does not fit: take an instance type with more memory, or fewer workers "
        "(environment.SAGEMAKER_MODEL_SERVER_WORKERS).",
    ),
    (
        r"images included in the model|image.*not found",
        "The image is not there under this name, or the execution role may not pull it: "
        "`python -m deploy doctor` looks at both.",
    ),
    (
        r"model data|could not find.*s3|no such key",
        "The artifact is not where deploy.toml says, or the execution role may not read it.",
    ),
    (
        r"access ?denied|not authorized|permission",
        "The execution role lacks a permission: `python -m deploy doctor` prints the statement.",
    ),
    (
        r"startup_failed|traceback|modulenotfounderror|importerror",
        "The server says above why it did not start; the same happens with local_test/serve_local.sh.",
    ),
    (
        r"ping health check|health check",
        "/ping was not 200 in time. If the log ends while the model loads, set instances.startup_timeout_s; "
        "if there is no log, the container did not start: try `docker run --rm IMAGE serve`.",
    ),
)


def explained(aws: Aws, failed: Failed) -> DeployError:
    """The failure with its story. Never raises: a reader of logs may lack permissions."""
    lines = last_lines(aws, failed.key)
    text = " ".join([failed.reason, *lines])
    return DeployError(failed.reason, f"{cause(text)} {_way(failed)}".strip(), tuple(lines))


def cause(text: str) -> str:
    found = (step for pattern, step in CAUSES if re.search(pattern, text, re.IGNORECASE))
    return next(found, "")


def last_lines(aws: Aws, key: str, lines: int = LINES) -> list[str]:
    """Of the newest log stream; none where there is no log, or it may not be read."""
    kind, _, name = key.partition("/")
    try:
        return [each["message"].rstrip() for each in newest(aws, kind, name, lines)]
    except DeployError:
        return []


def newest(aws: Aws, kind: str, name: str, lines: int) -> list[Mapping[str, Any]]:
    """The last events of the newest stream. Raises DeployError as streams does."""
    return last_of(aws, group_of(kind, name)[0], streams(aws, kind, name)[0], lines)


def streams(aws: Aws, kind: str, name: str) -> list[str]:
    """One for each container of each instance, newest first. Raises NotFound where nothing was ever logged."""
    group, prefix = group_of(kind, name)
    if prefix:
        found = aws.call("logs", "DescribeLogStreams", logGroupName=group, logStreamNamePrefix=prefix)
    else:
        found = aws.call("logs", "DescribeLogStreams", logGroupName=group, orderBy="LastEventTime", descending=True)
    told = found.get("logStreams", [])
    if not told:
        raise NotFound(f"{group} has no log of {name} yet.", "A container that never started logs nothing.")
    told.sort(key=lambda each: each.get("lastEventTimestamp", each.get("creationTime", 0)), reverse=True)
    return [each["logStreamName"] for each in told]


def last_of(aws: Aws, group: str, stream: str, lines: int) -> list[Mapping[str, Any]]:
    answer = aws.call(
        "logs", "GetLogEvents", logGroupName=group, logStreamName=stream, limit=lines, startFromHead=False
    )
    return list(answer["events"])


def group_of(kind: str, name: str) -> tuple[str, str]:
    """Log group, and what its streams of this thing begin with."""
    group = GROUPS[kind].format(name)
    return group, "" if group.endswith(name) else f"{name}/"


def _way(failed: Failed) -> str:
    if failed.status.startswith("InService"):
        return "It goes on with the version that it had; nothing of it was removed."
    if failed.status == "UpdateRollbackFailed":
        return "The endpoint is a mix of both versions; run `python -m deploy up` with a version that is known to work."
    return "Then run `python -m deploy up` again: it goes on from here."
