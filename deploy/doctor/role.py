"""The execution role and whoever deploys: there, trusted, allowed. Checks of doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy import iam, permissions
from deploy.doctor import refused
from deploy.doctor.finding import Case, Finding, fine, note, unknown, wrong
from deploy.errors import DeployError
from deploy.refusals import NotFound

HOW_TO_TRUST = "`python -m deploy iam trust >trust.json`, then `aws iam {} --role-name {} {} file://trust.json`."


def may_be_taken(case: Case) -> Iterator[Finding]:
    """The role is of this account, is there, and SageMaker may take it."""
    _, account = iam.of_role(case.wanted.role)
    if account != case.account:
        text = f"{case.wanted.role} is of account {account}, you are in {case.account}"
        yield wrong("role", text, "A role cannot be handed over between accounts: take one of yours, or other keys.")
        return
    name = case.wanted.role.rpartition("/")[2]
    try:
        role = case.aws.call("iam", "GetRole", RoleName=name)["Role"]
    except NotFound:
        create = HOW_TO_TRUST.format("create-role", name, "--assume-role-policy-document")
        yield wrong(
            "role", f"there is no role {name} in {case.account}", f"Make it: {create} docs/iam.md has the rest."
        )
        return
    if role["Arn"] != case.wanted.role:
        yield wrong("role", f"it is {role['Arn']}, not {case.wanted.role}", "Write its ARN with the whole path.")
    elif permissions.trusts(role["AssumeRolePolicyDocument"]):
        yield fine("role", f"{case.wanted.role}; SageMaker may take it")
    else:
        update = HOW_TO_TRUST.format("update-assume-role-policy", name, "--policy-document")
        yield wrong(
            "role", f"SageMaker may not take {name}: its trust policy does not name {permissions.SAGEMAKER}", update
        )


def may_run(case: Case) -> Iterator[Finding]:
    lacking = permissions.missing(case.aws, case.wanted.role, iam.policy("execution", case.wanted, case.aws.region))
    how = "Add to the role (`python -m deploy iam execution` prints all of it): "
    yield from (wrong("role's permissions", _cannot(each), how + json.dumps(each)) for each in lacking)
    if case.wanted.mode == "recommend":
        yield unknown("role's permissions", iam.RECOMMENDER, iam.FOR_RECOMMENDER)
    elif not lacking:
        yield fine("role's permissions", "all that this mode needs")


def may_deploy(case: Case) -> Iterator[Finding]:
    """What `up` needs of this mode has to be allowed; the rest of the verbs is worth a note."""
    if case.arn.endswith(":root"):
        yield fine("your permissions", "root may do everything")
        return
    try:
        me = permissions.caller(case.aws)
        lacking = permissions.missing(case.aws, me, iam.policy("deployer", case.wanted, case.aws.region))
    except DeployError as error:
        change = refused.ADD + json.dumps(refused.of_yourself(case.arn))
        yield unknown("your permissions", error.reason, change if refused.is_denied(error.reason) else error.next_step)
        return
    needed = {f"{call.service}:{call.operation}" for call in case.calls} | {"iam:PassRole"}
    for each in lacking:
        say = wrong if needed & set(each["Action"]) else note
        yield say("your permissions", _cannot(each), refused.ADD + json.dumps(each))
    if not lacking:
        yield fine("your permissions", f"{me} may do all that the verbs do")


def _cannot(statement: Mapping[str, Any]) -> str:
    return f"{', '.join(statement['Action'])} on {', '.join(statement['Resource'])} is not allowed"
