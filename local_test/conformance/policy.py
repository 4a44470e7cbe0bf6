"""Which actions a role's policy allows, and which ones a deployment needs. Used by checks/requests.py.

A look at names, no simulator: conditions and resources are not weighed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

ALWAYS = (
    "cloudwatch:PutMetricData",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "s3:GetObject",
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)
LIST, PUT = ("s3:ListBucket",), ("s3:PutObject",)
VPC = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
)
BY_WORD: Mapping[str, tuple[str, ...]] = {
    "MultiModel": LIST,
    "S3Prefix": LIST,
    "AsyncInferenceConfig": PUT,
    "DataCaptureConfig": PUT,
    "TransformOutput": PUT,
    "OutputDataConfig": PUT,
    "NotificationConfig": ("sns:Publish",),
    "VpcConfig": VPC,
    "VolumeKmsKeyId": ("kms:CreateGrant",),
    "KmsKeyId": ("kms:Encrypt",),
}
"""What a member, or a value, in the calls' bodies takes. Source: developer guide, "How to use execution roles"."""


def needed(bodies: Mapping[str, Any]) -> set[str]:
    """The actions that these calls take, by what stands in them."""
    words = set(_words(list(bodies.values())))
    return {*ALWAYS, *(action for word, actions in BY_WORD.items() if word in words for action in actions)}


def _words(value: object) -> Iterator[str]:
    """Names of members and texts, however deep."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _words(each)
    if isinstance(value, str):
        yield value


def statements(value: object) -> Iterator[Mapping[str, Any]]:
    """Those of a policy document, also inside of what `aws iam get-role-policy` prints."""
    if isinstance(value, dict) and "Statement" in value:
        found = value["Statement"]
        yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from statements(each)


def allows(given: list[Mapping[str, Any]], action: str) -> bool:
    """Whether some statement allows it, and none denies it everywhere."""
    if any(_is_for(each, "Deny", action) and _everywhere(each) for each in given):
        return False
    return any(_is_for(each, "Allow", action) for each in given)


def _is_for(statement: Mapping[str, Any], effect: str, action: str) -> bool:
    if statement.get("Effect") != effect:
        return False
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement.get("Action", ()), action)


def _matches(patterns: object, action: str) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatchcase(action.lower(), str(each).lower()) for each in listed)


def _everywhere(statement: Mapping[str, Any]) -> bool:
    return "Condition" not in statement and statement.get("Resource") in ("*", ["*"])
