"""What a policy allows, as far as the tests ask: whether each call that was made is one of its actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.deploy.double.call import Call

SERVICES = {"sagemaker-runtime": "sagemaker", "service-quotas": "servicequotas"}
"""Services that IAM calls otherwise than boto3."""

OPERATIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    **{f"s3:{each}MultipartUpload": "s3:PutObject" for each in ("Create", "Complete")},
    "s3:UploadPart": "s3:PutObject",
    "sts:GetCallerIdentity": "",  # everyone may
}
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"""


def action(call: Call) -> str:
    name = f"{SERVICES.get(call.service, call.service)}:{call.operation}"
    return OPERATIONS.get(name, name)


def actions(policy: dict[str, Any]) -> set[str]:
    told = [each["Action"] for each in policy["Statement"]]
    return {name for each in told for name in ([each] if isinstance(each, str) else each)}


def refused(policy: dict[str, Any], calls: Iterable[Call]) -> set[str]:
    """The actions that the calls need and the policy lacks."""
    needed = {action(each) for each in calls} - {""}
    needed |= {"iam:PassRole" for each in calls if {"RoleArn", "ExecutionRoleArn"} & each.parameters.keys()}
    return needed - actions(policy)
