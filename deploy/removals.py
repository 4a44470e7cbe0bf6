"""The calls that remove things, as data. Called by plan for what is no longer wanted, and by down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.call import Call
from deploy.kinds import KINDS
from deploy.owned import scope
from deploy.requests.scaling import SERVICE


def of(kind: str, name: str) -> Call:
    """Of something in SageMaker: deleted, or stopped where it is a job."""
    row = KINDS[kind]
    return Call("sagemaker", row.delete or row.stop, {row.name: name}, f"{kind}/{name}")


def target(there: Mapping[str, Any]) -> Call:
    """Its policies and schedules go with it."""
    return Call(SERVICE, "DeregisterScalableTarget", scope(there), f"scalable-target/{there['ResourceId']}")


def policy(there: Mapping[str, Any]) -> Call:
    name = there["PolicyName"]
    return Call(SERVICE, "DeleteScalingPolicy", {"PolicyName": name, **scope(there)}, f"scaling-policy/{name}")


def schedule(there: Mapping[str, Any]) -> Call:
    name = there["ScheduledActionName"]
    return Call(
        SERVICE, "DeleteScheduledAction", {"ScheduledActionName": name, **scope(there)}, f"scheduled-action/{name}"
    )


def alarm(name: str) -> Call:
    return Call("cloudwatch", "DeleteAlarms", {"AlarmNames": [name]}, f"alarm/{name}")


def package(arn: str) -> Call:
    """An ARN ends in the key: ...:model-package/GROUP/1."""
    return Call("sagemaker", "DeleteModelPackage", {"ModelPackageName": arn}, arn.rpartition(":")[2])
