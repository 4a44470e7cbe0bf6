"""The policies: valid, no wider than the mode needs, and wide enough for every request."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.loaders import Loader
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from deploy import iam, permissions
from deploy.aws import Aws
from deploy.call import Call
from deploy.errors import DeployError
from deploy.verbs import iam as verb
from tests.deploy.allowed import OPERATIONS, actions
from tests.deploy.configs import FEATURES, JOBS, MODES, ROLE, TABLE, calls, config
from tests.deploy.double import Double
from tests.docs.pages import ROOT, section

REGION = TABLE["region"]
OF_MODES = {name: {"mode": name, **over} for name, over in {**MODES, **JOBS}.items()}
ALL = {**OF_MODES, **FEATURES}
IN_BOTO3 = {"servicequotas": "service-quotas"}
NO_CALL = {"iam:PassRole", "s3:ListBucket"}
"""Permissions that are no operation of that name."""

BASE = {
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
    *("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability"),
    *("ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
}
READ, LIST, WRITE = "s3:GetObject", "s3:ListBucket", "s3:PutObject"
MORE = {
    "realtime": {READ},
    "serverless": {READ},
    "async": {READ, WRITE},
    "batch": {READ, LIST, WRITE},
    "multi-model": {READ, LIST},
    "multi-container": {READ},
    "pipeline": set(),  # whose containers have no artifact in configs.py
    "training": {READ, LIST, WRITE},
    "register": {READ},
    "recommend": {READ},
}
"""What each mode needs of S3."""


def policy(kind: str, over: dict[str, Any]) -> iam.Policy:
    return iam.policy(kind, config(**over), REGION)


def statement(kind: str, sid: str, over: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in policy(kind, over)["Statement"] if each["Sid"] == sid]
    return found[0]


@pytest.mark.parametrize("kind", iam.KINDS)
def test_policies_are_valid_and_short_enough(kind: str) -> None:
    """A managed policy has 6,144 characters, blanks apart."""
    check = IAMTrustPolicyDocumentValidator if kind == "trust" else IAMPolicyDocumentValidator
    for over in ALL.values():
        text = json.dumps(policy(kind, over))
        check(text).validate()
        assert "${" not in text
        assert len(re.sub(r"\s", "", text)) <= 6144


@pytest.mark.parametrize("kind", ["execution", "deployer"])
def test_each_action_is_one_that_aws_has(kind: str) -> None:
    loader = Loader()
    known = {
        f"{service}:{operation}"
        for service in {each.partition(":")[0] for over in ALL.values() for each in actions(policy(kind, over))}
        for boto3 in ([IN_BOTO3.get(service, service)] if service != "sagemaker" else [service, "sagemaker-runtime"])
        for operation in loader.load_service_model(boto3, "service-2")["operations"]
    }
    for over in ALL.values():
        assert actions(policy(kind, over)) - known - NO_CALL == set()


@pytest.mark.parametrize("name", OF_MODES)
def test_req_07_execution_role_may_what_its_mode_needs_and_no_more(name: str) -> None:
    assert actions(policy("execution", OF_MODES[name])) == BASE | MORE[name]


def test_req_07_network_keys_and_topics_are_asked_for_only_where_they_are_used() -> None:
    over = {
        **OF_MODES["async"],
        "network": {"subnets": ["subnet-0a"], "security_groups": ["sg-0a"]},
        "instances": {"kms_key": "1234abcd-12ab-34cd-56ef-1234567890ab"},
    }
    topic = "arn:aws:sns:eu-west-1:123456789012:done"
    over["async"] = {**over["async"], "success_topic": topic}
    told = {each["Sid"]: each for each in policy("execution", over)["Statement"]}
    assert told["Notify"]["Resource"] == [topic]
    assert told["EncryptVolumes"]["Resource"] == [
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    ]
    assert "ec2:CreateNetworkInterfacePermission" in told["JoinNetwork"]["Action"]


@pytest.mark.parametrize("name", ALL)
def test_every_address_in_the_requests_is_in_the_policy(name: str) -> None:
    """Found here as text, whatever the key: a new feature cannot be forgotten."""
    made = [each.parameters for each in calls(config(**ALL[name]))]
    named = set(re.findall(r'"s3://([^"]+)"', json.dumps(made)))
    allowed = [
        pattern.removeprefix("arn:aws:s3:::").rstrip("*")
        for each in policy("execution", ALL[name])["Statement"]
        if set(each["Action"]) & {"s3:GetObject", "s3:PutObject"}
        for pattern in each["Resource"]
    ]
    assert [each for each in named if not f"{each.rstrip('/')}/".startswith(tuple(allowed))] == []


@pytest.mark.parametrize("kind", ["execution", "deployer"])
def test_everything_has_a_name_but_what_has_none_in_aws(kind: str) -> None:
    nameless = {"Measure", "LogInToImages", "JoinNetwork", "LookAround"}
    for over in ALL.values():
        for each in policy(kind, over)["Statement"]:
            assert (each["Resource"] == ["*"]) == (each["Sid"] in nameless)
            assert [name for name in each["Action"] if "*" in name] == []


def test_other_versions_of_a_model_need_no_new_policy() -> None:
    told = statement("execution", "Read", {"artifact": "s3://models/team/churn/0123456789abcdef/model.tar.gz"})
    assert told["Resource"] == ["arn:aws:s3:::models/team/churn/*"]


def test_role_is_passed_to_sagemaker_alone_and_it_alone() -> None:
    told = statement("deployer", "HandOverTheRole", {})
    assert told["Resource"] == [ROLE]
    assert told["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_deployer_changes_only_what_begins_with_the_name_in_lower_case_as_arns_are() -> None:
    told = statement("deployer", "Deploy", {"name": "Churn-EU"})
    assert [each for each in told["Resource"] if not each.endswith("/churn-eu*")] == []


def test_policies_of_china_are_of_its_partition() -> None:
    over = {"role": "arn:aws-cn:iam::123456789012:role/run", "region": "cn-north-1"}
    text = json.dumps(iam.policy("execution", config(**over), "cn-north-1"))
    assert ("arn:aws-cn:s3" in text, "arn:aws:" in text) == (True, False)


def test_key_by_its_alias_is_refused() -> None:
    with pytest.raises(DeployError, match="by its alias"):
        policy("execution", {"instances": {"kms_key": "alias/mine"}})


# what is missing


@pytest.fixture(scope="module")
def one_aws() -> Aws:
    return Aws(REGION, reads_only=True)


def looked(aws: Aws, kind: str) -> list[dict[str, Any]]:
    return verb.looked(aws, kind, ROLE, policy(kind, {}))


def test_missing_actions_are_told_as_statements_to_add(double: Double, one_aws: Aws) -> None:
    double.denied = {"s3:GetObject", "logs:PutLogEvents"}
    told = looked(one_aws, "execution")
    assert [(each["Sid"], each["Action"]) for each in told] == [
        ("Log", ["logs:PutLogEvents"]),
        ("Read", ["s3:GetObject"]),
    ]


def test_simulator_is_asked_for_things_and_under_the_conditions_of_the_call(double: Double, one_aws: Aws) -> None:
    assert looked(one_aws, "deployer") == []
    asked = [each.parameters for each in double.calls if each.operation == "SimulatePrincipalPolicy"]
    (role,) = [each for each in asked if each["ActionNames"] == ["iam:PassRole"]]
    assert role["ContextEntries"][0]["ContextKeyValues"] == ["sagemaker.amazonaws.com"]
    assert {name for each in asked for name in each["ResourceArns"] if "*" in name} == {"*"}


def test_role_that_sagemaker_may_not_take_is_told(double: Double, one_aws: Aws) -> None:
    client = one_aws._client("iam")
    client.create_role(RoleName="sagemaker-run", AssumeRolePolicyDocument=json.dumps(policy("trust", {})))
    assert looked(one_aws, "trust") == []
    other = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    client.update_assume_role_policy(RoleName="sagemaker-run", PolicyDocument=json.dumps(other))
    assert looked(one_aws, "trust") == policy("trust", {})["Statement"]


def test_session_of_a_role_counts_as_the_role(double: Double, one_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = "arn:aws:iam::123456789012:role/with/path/ci"
    answers = {"Arn": "arn:aws:sts::123456789012:assumed-role/ci/session", "Role": {"Arn": arn}}
    monkeypatch.setattr(Aws, "call", lambda *_, **__: answers)
    assert permissions.caller(one_aws) == arn


def test_names_of_other_operations_are_actions_too() -> None:
    """The table by which the calls of all verbs are held to the deployer's policy: see flow/conftest."""
    assert {name for name in OPERATIONS.values() if name} <= actions(policy("deployer", {}))


def test_statements_cover_the_calls_of_a_deployment() -> None:
    made: list[Call] = [call for over in ALL.values() for call in calls(config(**over))]
    allowed = actions(policy("deployer", {}))
    assert {f"{call.service}:{call.operation}" for call in made} - allowed == set()


def test_page_tells_every_statement_and_no_other() -> None:
    page = ROOT / "docs" / "iam.md"
    for kind, title in (("execution", "The execution role"), ("deployer", "Whoever deploys")):
        told = json.loads((iam.POLICIES / f"{kind}.json").read_text())["Statement"]
        assert section(page, title).names() == {each["Sid"] for each in told}
