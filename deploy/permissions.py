"""Asks IAM whether somebody may do what a policy allows: what is missing, as statements to add. Called by verbs/iam.

IAM's simulator knows identity policies, boundaries and the organisation's policies, but not those of buckets and keys.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.aws import Aws
from deploy.iam import Policy

SAGEMAKER = "sagemaker.amazonaws.com"
ANYTHING = str.maketrans({"*": "any", "?": "a"})
"""In the place of wildcards: the simulator wants names of things, not patterns."""
OF_IAM = "${aws:"
"""How a variable begins that IAM fills in."""


def caller(aws: Aws) -> str:
    """The ARN of the user or role that deploys; of a session, its role's."""
    arn: str = aws.call("sts", "GetCallerIdentity")["Arn"]
    if ":assumed-role/" not in arn:
        return arn
    role = arn.split("/")[1]
    found: str = aws.call("iam", "GetRole", RoleName=role)["Role"]["Arn"]  # which has the path that a session lacks
    return found


def missing(aws: Aws, principal: str, policy: Policy) -> list[dict[str, Any]]:
    """The statements of the policy, each with those of its actions that the principal may not do.

    What is about the principal itself is not asked for: whoever gets an answer may ask.
    """
    asked = (each for each in policy["Statement"] if not any(OF_IAM in name for name in each["Resource"]))
    lacking = ((each, _denied(aws, principal, each)) for each in asked)
    return [{**each, "Action": actions} for each, actions in lacking if actions]


def _denied(aws: Aws, principal: str, statement: dict[str, Any]) -> list[str]:
    told = aws.call(
        "iam",
        "SimulatePrincipalPolicy",
        PolicySourceArn=principal,
        ActionNames=statement["Action"],
        ResourceArns=[each if each == "*" else each.translate(ANYTHING) for each in statement["Resource"]],
        ContextEntries=[_context(key, value) for key, value in _conditions(statement)],
    )
    denied = {each["EvalActionName"] for each in told["EvaluationResults"] if each["EvalDecision"] != "allowed"}
    return [each for each in statement["Action"] if each in denied]


def _conditions(statement: dict[str, Any]) -> list[tuple[str, Any]]:
    return [pair for each in statement.get("Condition", {}).values() for pair in each.items()]


def _context(key: str, value: Any) -> dict[str, Any]:
    """The request as it will be, so that the statement's own condition holds."""
    values = value if isinstance(value, list) else [value]
    kind = "boolean" if value == "true" else "string"
    return {
        "ContextKeyName": key,
        "ContextKeyType": kind,
        "ContextKeyValues": [each.translate(ANYTHING) for each in values[:1]],
    }


def trusts_sagemaker(aws: Aws, role: str) -> bool:
    """Whether SageMaker may take the role."""
    told = aws.call("iam", "GetRole", RoleName=role.rpartition("/")[2])["Role"]
    return trusts(told["AssumeRolePolicyDocument"])


def trusts(policy: Mapping[str, Any]) -> bool:
    """Whether some statement lets SageMaker assume the role. What its conditions ask for is not judged."""
    return any(
        statement.get("Effect") == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(statement.get("Action", ())))
        and SAGEMAKER in _services(statement.get("Principal"))
        for statement in _listed(policy.get("Statement", ()))
    )


def _services(principal: Any) -> list[Any]:
    return _listed(principal.get("Service", ())) if isinstance(principal, Mapping) else []


def _listed(value: Any) -> list[Any]:
    """Where a policy has one, it may stand alone."""
    return [value] if isinstance(value, str | Mapping) else list(value)
