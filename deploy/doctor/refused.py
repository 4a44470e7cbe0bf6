"""What to add to the policy of whoever deploys where a check was refused, as a statement. Called by the checks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deploy import iam
from deploy.doctor.finding import Case

DENIED = re.compile(r"(\w+) was refused: .*(AccessDenied|UnauthorizedOperation|not authorized|Forbidden)", re.DOTALL)
ELSEWHERE = re.compile(r"explicit deny|service control policy|permissions boundary")
"""What no statement of one's own can change."""
ACTIONS = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"""
ADD = "Have added to yours (`python -m deploy iam deployer` prints all of it): "


def step(case: Case, reason: str, otherwise: str) -> str:
    """The statement that allows what was refused, or else what was to be said."""
    found = DENIED.search(reason)
    if not found or not is_denied(reason):
        return otherwise
    name = ACTIONS.get(found[1], found[1])
    for each in iam.policy("deployer", case.wanted, case.aws.region)["Statement"]:
        if actions := [action for action in each["Action"] if action.partition(":")[2] == name]:
            return ADD + json.dumps({**each, "Action": actions})
    return otherwise


def is_denied(reason: str) -> bool:
    """Whether a statement would help."""
    return bool(DENIED.search(reason)) and not ELSEWHERE.search(reason)


def of_yourself(arn: str) -> Mapping[str, Any]:
    """What whoever asks needs to be told of its own permissions. A session's ARN lacks the path of its role."""
    resources = [arn]
    if ":assumed-role/" in arn:
        _, partition, _, _, account, session = arn.split(":")
        name = session.split("/")[1]
        resources = [f"arn:{partition}:iam::{account}:role/{path}{name}" for path in ("", "*/")]
    actions = ["iam:GetRole", "iam:SimulatePrincipalPolicy"]
    return {"Sid": "CheckYourself", "Effect": "Allow", "Action": actions, "Resource": resources}
