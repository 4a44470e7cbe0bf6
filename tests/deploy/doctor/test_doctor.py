"""`doctor` on a healthy account, then on one with another file, clock, role or permission: wrong, unknown and fine."""

from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import permissions
from deploy.doctor import role
from deploy.doctor.account import clock
from deploy.doctor.finding import Case
from deploy.permissions import trusts
from tests.deploy.configs import ROLE, config
from tests.deploy.doctor.conftest import TRUST, Doctor, only
from tests.deploy.double import Double, Fault
from tests.deploy.flow.conftest import Cloud, Deploy

DENIED = Fault("AccessDeniedException", "User: me is not authorized to perform this")


def test_a_healthy_account_is_fine_in_every_respect(healthy: Cloud, doctor: Doctor) -> None:
    found = doctor()
    assert list(found) == [
        *("deploy.toml", "region", "identity", "clock", "role", "role's permissions", "your permissions"),
        *("image", "artifact", "buckets", "quota", "Docker"),
    ]
    assert {each["verdict"] for all_of in found.values() for each in all_of} == {"fine"}


def test_people_read_a_line_a_finding_and_what_to_change(healthy: Cloud, deploy: Deploy) -> None:
    done = deploy("doctor", "--artifact", "s3://bucket/nothing.tar.gz")
    assert done.code == 1
    assert "WRONG artifact: There is no artifact s3://bucket/nothing.tar.gz." in done.out
    assert "\n      -> Upload it: `python -m deploy package`.\n" in done.out
    assert done.out.endswith("\n1 wrong, 0 could not be checked, 11 fine\n")


# the file, and who asks


def test_a_wrong_file_does_not_hide_who_asks(healthy: Cloud, doctor: Doctor, file: Path) -> None:
    file.write_text('name = "churn"\nregion = "eu-west-1"\nroel = "x"\n')
    found = doctor()
    assert only(found, "deploy.toml")[0] == "wrong"
    assert only(found, "identity")[0] == "fine"
    assert only(found, "all else at AWS")[0] == "unknown"


def test_a_request_that_aws_would_refuse_is_wrong_and_all_else_is_looked_at(healthy: Cloud, doctor: Doctor) -> None:
    found = doctor("serverless", "--set", "serverless.memory_mb=1500")
    assert "1024, 2048" in only(found, "deploy.toml")[1]
    assert only(found, "artifact")[0] == "fine"


def test_keys_that_are_refused_are_wrong_and_nothing_more_is_asked(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("GetCallerIdentity", Fault("InvalidClientTokenId", "The security token is invalid"))
    found = doctor()
    assert only(found, "identity") == (
        "wrong",
        "GetCallerIdentity was refused: The security token is invalid (InvalidClientTokenId) -> "
        "Log in again: `aws sso login`, or new keys by `aws configure`.",
    )
    assert only(found, "all else at AWS")[0] == "unknown"
    assert [str(each) for each in healthy.double.calls] == ["sts:GetCallerIdentity"]


def test_no_answer_is_not_the_keys_fault(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("GetCallerIdentity", Fault(silent=True))
    assert only(doctor(), "identity")[0] == "unknown"


def test_no_region_is_wrong(healthy: Cloud, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy.aws import Aws
    from deploy.errors import DeployError

    def nowhere(_: Aws) -> str:
        raise DeployError("There is no AWS region.", "Write region in deploy.toml, or set AWS_REGION.")

    monkeypatch.setattr(Aws, "region", property(nowhere))
    assert only(doctor(), "region")[0] == "wrong"


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(("skew_s", "verdict"), [(2, "fine"), (-90, "note"), (301, "wrong"), (-3600, "wrong")])
def test_a_clock_that_is_minutes_off_is_told_before_signatures_are_refused(skew_s: int, verdict: str) -> None:
    headers = {"date": format_datetime(NOON + dt.timedelta(seconds=skew_s), usegmt=True)}
    (found,) = clock({"ResponseMetadata": {"HTTPHeaders": headers}}, NOON)
    assert found.verdict == verdict


# the role, and permissions


def test_a_role_that_is_not_there_is_wrong_with_how_to_make_it(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.denied = set()
    verdict, text = only(doctor("--role", ROLE.replace("sagemaker-run", "nobody")), "role")
    assert verdict == "wrong"
    assert "aws iam create-role --role-name nobody" in text


def test_a_role_of_another_account_cannot_be_handed_over(healthy: Cloud, doctor: Doctor) -> None:
    role = "arn:aws:iam::999999999999:role/sagemaker-run"
    assert "is of account 999999999999, you are in 123456789012" in only(doctor("--role", role), "role")[1]


def test_a_role_that_sagemaker_may_not_take_is_wrong_with_how_to_mend_it(healthy: Cloud, doctor: Doctor) -> None:
    other = json.dumps(TRUST).replace("sagemaker.", "lambda.")
    healthy.aws.call("iam", "UpdateAssumeRolePolicy", RoleName="sagemaker-run", PolicyDocument=other)
    healthy.double.calls.clear()
    verdict, text = only(doctor(), "role")
    assert (verdict, "aws iam update-assume-role-policy" in text) == ("wrong", True)


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}}, True),
        ({"Action": ["sts:AssumeRole", "sts:TagSession"]}, True),
        ({"Effect": "Deny"}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Principal": "*"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:role/sagemaker.amazonaws.com"}}, False),
    ],
)
def test_trust_is_read_as_iam_reads_it(change: dict[str, Any], trusted: bool) -> None:
    assert trusts({"Statement": [{**TRUST["Statement"][0], **change}]}) is trusted  # type: ignore[dict-item]
    assert trusts({"Statement": {**TRUST["Statement"][0], **change}}) is trusted  # type: ignore[dict-item]


def test_what_the_role_may_not_is_wrong_with_the_statement_to_add(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.denied = {"s3:GetObject"}
    verdict, text = only(doctor(), "role's permissions")
    assert verdict == "wrong"
    statement = json.loads(text[text.index("{") :])
    assert statement["Action"] == ["s3:GetObject"]
    assert statement["Resource"] == ["arn:aws:s3:::bucket/churn/model.tar.gz"]


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("iam:PassRole", "wrong"), ("sagemaker:CreateEndpoint", "wrong"), ("ecr:PutImage", "note")],
)
def test_what_you_may_not_is_wrong_where_up_needs_it(healthy: Cloud, doctor: Doctor, action: str, verdict: str) -> None:
    healthy.double.denied = {action}
    found, text = only(doctor(), "your permissions")
    assert (found, json.loads(text[text.index("{") :])["Action"]) == (verdict, [action])


def test_permissions_that_nobody_tells_are_not_known(healthy: Cloud, doctor: Doctor) -> None:
    """Whoever may not ask IAM may still deploy."""
    for operation in ("GetRole", "SimulatePrincipalPolicy"):
        healthy.double.faults.on(operation, DENIED, times=3)
    found = doctor()
    for subject in ("role", "role's permissions", "your permissions"):
        assert only(found, subject)[0] == "unknown"


@pytest.mark.parametrize(
    ("operation", "subject", "action", "resource"),
    [
        ("GetRole", "role", "iam:GetRole", ROLE),
        ("SimulatePrincipalPolicy", "role's permissions", "iam:SimulatePrincipalPolicy", ROLE),
        ("HeadBucket", "buckets", "s3:ListBucket", "arn:aws:s3:::bucket"),
        ("DescribeImages", "image", "ecr:DescribeImages", "repository/sagemaker-serving"),
        ("BatchGetImage", "image", "ecr:BatchGetImage", "repository/sagemaker-serving"),
        ("ListServiceQuotas", "quota", "servicequotas:ListServiceQuotas", "*"),
    ],
)
def test_what_was_refused_is_told_with_the_statement_itself(
    healthy: Cloud, doctor: Doctor, operation: str, subject: str, action: str, resource: str
) -> None:
    """Not that `doctor` prints it."""
    healthy.double.faults.on(operation, DENIED)
    verdict, text = only(doctor(), subject)
    statement = json.loads(text[text.index("{") :])
    assert (verdict, statement["Action"]) == ("unknown", [action])
    assert any(each.endswith(resource) for each in statement["Resource"])


@pytest.mark.parametrize(
    ("me", "resources"),
    [
        ("arn:aws:iam::123456789012:user/team/ann", ["arn:aws:iam::123456789012:user/team/ann"]),
        (
            "arn:aws:sts::123456789012:assumed-role/ci/session",
            ["arn:aws:iam::123456789012:role/ci", "arn:aws:iam::123456789012:role/*/ci"],
        ),
    ],
)
def test_who_may_not_ask_about_itself_is_told_what_would_let_it(
    me: str, resources: list[str], healthy: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that is printed beforehand can name a user's own name by a variable, and not a role's."""
    case = Case(healthy.aws, config(), arn=me)
    monkeypatch.setattr(permissions, "caller", lambda _: me)
    healthy.double.faults.on("SimulatePrincipalPolicy", DENIED)
    (found,) = role.may_deploy(case)
    assert found.verdict == "unknown"
    assert json.loads(found.change[found.change.index("{") :])["Resource"] == resources


def test_what_the_organisation_denies_no_statement_allows(healthy: Cloud, doctor: Doctor) -> None:
    text = "User: me is not authorized with an explicit deny in a service control policy"
    healthy.double.faults.on("HeadBucket", Fault("AccessDenied", text))
    assert "only who keeps the account can change that" in only(doctor(), "buckets")[1]


def test_the_role_of_a_recommender_is_not_known_to_suffice(healthy: Cloud, doctor: Doctor) -> None:
    verdict, text = only(
        doctor("recommend", "--set", "recommend.sample=s3://bucket/sample.tar.gz"), "role's permissions"
    )
    assert (verdict, "AmazonSageMakerFullAccess" in text) == ("unknown", True)


def test_all_of_it_reads_only(healthy: Cloud, double: Double, doctor: Doctor) -> None:
    """The fixture asserts it after every test; here for all modes."""
    for mode in ("realtime", "serverless", "async", "batch"):
        doctor(mode)
    assert len(double.calls) > 40
    assert double.changes == []
