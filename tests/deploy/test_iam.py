"""The policies: valid, no wider than the mode needs, and wide enough for every request."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.loaders import Loader
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from deploy import iam, names, permissions
from deploy.aws import Aws
from deploy.call import Call
from deploy.errors import DeployError
from deploy.packing.storage import key_of
from deploy.verbs import iam as verb
from tests.deploy.allowed import OPERATIONS, actions, fits, refused
from tests.deploy.configs import CAPTURE, EVERY, FEATURES, JOBS, MODES, ROLE, TABLE, calls, config
from tests.deploy.double import Double
from tests.deploy.double.call import Call as Asked
from tests.docs.pages import ROOT, section

REGION = TABLE["region"]
OF_MODES = {name: EVERY[name] for name in {**MODES, **JOBS}}
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
    for over in EVERY.values():
        text = json.dumps(policy(kind, over))
        check(text).validate()
        assert "${" not in text.replace("${aws:username}", "")
        assert len(re.sub(r"\s", "", text)) <= 6144


@pytest.mark.parametrize("kind", ["execution", "deployer"])
def test_each_action_is_one_that_aws_has(kind: str) -> None:
    loader = Loader()
    known = {
        f"{service}:{operation}"
        for service in {each.partition(":")[0] for over in EVERY.values() for each in actions(policy(kind, over))}
        for boto3 in ([IN_BOTO3.get(service, service)] if service != "sagemaker" else [service, "sagemaker-runtime"])
        for operation in loader.load_service_model(boto3, "service-2")["operations"]
    }
    for over in EVERY.values():
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


@pytest.mark.parametrize("name", EVERY)
def test_every_address_in_the_requests_is_in_the_policy(name: str) -> None:
    """Found here as text, whatever the key: a new feature cannot be forgotten."""
    made = [each.parameters for each in calls(config(**EVERY[name]))]
    named = set(re.findall(r'"s3://([^"]+)"', json.dumps(made)))
    allowed = [
        pattern.removeprefix("arn:aws:s3:::")
        for each in policy("execution", EVERY[name])["Statement"]
        if set(each["Action"]) & {"s3:GetObject", "s3:PutObject"}
        for pattern in each["Resource"]
    ]
    found = [each if "." in each else f"{each.rstrip('/')}/1" for each in named]
    assert [each for each in found if not any(fits(pattern, each) for pattern in allowed)] == []


@pytest.mark.parametrize("kind", ["execution", "deployer"])
def test_everything_has_a_name_but_what_has_none_in_aws(kind: str) -> None:
    nameless = {"Measure", "LogInToImages", "JoinNetwork", "LookAround"}
    for over in EVERY.values():
        for each in policy(kind, over)["Statement"]:
            assert (each["Resource"] == ["*"]) == (each["Sid"] in nameless)
            assert [name for name in each["Action"] if "*" in name] == []


def may(kind: str, action: str, arn: str, **over: Any) -> bool:
    told = [each for each in policy(kind, over)["Statement"] if action in each["Action"]]
    return any(fits(pattern, arn) for each in told for pattern in each["Resource"])


FIRST, NEXT = "0123456789abcdef", "fedcba9876543210"


@pytest.mark.parametrize(
    ("artifact", "later"),
    [
        (f"s3://models/team/churn/{FIRST}/model.tar.gz", f"models/team/churn/{NEXT}/model.tar.gz"),
        (f"s3://models/{FIRST}/files/", f"models/{NEXT}/files/weights.bin"),
        (
            "s3://models/churn-training-07ba6bb3/output/model.tar.gz",
            "models/churn-training-1a2b3c4d-2/output/model.tar.gz",
        ),
    ],
)
def test_what_package_and_training_make_later_needs_no_new_policy(artifact: str, later: str) -> None:
    for kind in ("execution", "deployer"):
        assert may(kind, READ, f"arn:aws:s3:::{later}", artifact=artifact)
    assert may("deployer", WRITE, f"arn:aws:s3:::{later}", artifact=artifact) == (FIRST in artifact)


@pytest.mark.parametrize(
    ("artifact", "others"),
    [
        ("s3://models/model.tar.gz", ["models/other.tar.gz", "models/secret/model.tar.gz"]),
        (f"s3://models/team/{FIRST}/model.tar.gz", ["models/team/raw/data.csv", "models/other/model.tar.gz"]),
        (f"s3://{FIRST}/model.tar.gz", [f"{NEXT}/model.tar.gz"]),
        ("s3://models/churn-training-07ba6bb3/output/model.tar.gz", ["models/churn-trainings/output/model.tar.gz"]),
    ],
)
def test_of_an_artifact_nothing_else_in_the_bucket_is_read_or_written(artifact: str, others: list[str]) -> None:
    for other in others:
        for kind, action in (("execution", READ), ("deployer", READ), ("deployer", WRITE)):
            assert not may(kind, action, f"arn:aws:s3:::{other}", artifact=artifact)


def test_what_is_taken_for_made_here_is_what_package_and_training_make() -> None:
    """The number of digits, and what stands behind them."""
    (job,) = calls(config(**EVERY["training"]))
    trained = f"{job.name}/output/model.tar.gz"
    assert not may("execution", READ, f"arn:aws:s3:::models/{NEXT}/model.tar.gz", artifact=f"s3://models/{trained}")
    assert may(
        "execution",
        READ,
        "arn:aws:s3:::models/churn-training-00000000/output/model.tar.gz",
        artifact=f"s3://models/{trained}",
    )
    for uncompressed in (False, True):
        first, later = (key_of("churn/", each * 4, uncompressed=uncompressed) for each in (FIRST, NEXT))
        assert may("execution", READ, f"arn:aws:s3:::models/{later}", artifact=f"s3://models/{first}")


def test_deployer_may_package_a_model_before_there_is_one() -> None:
    made = f"arn:aws:s3:::sagemaker-{REGION}-123456789012/churn/{FIRST}/model.tar.gz"
    assert may("deployer", WRITE, made)


@pytest.mark.parametrize(
    ("over", "inside", "beside"),
    [
        ({"mode": "async", "async": {"output": "s3://bkt/answers"}}, "bkt/answers/1.out", "bkt/answers-secret/1.out"),
        (
            {"mode": "training", "training": {"output": "s3://bkt/out", "checkpoints": "s3://bkt/ck"}},
            "bkt/ck/1",
            "bkt/ck-secret/1",
        ),
    ],
)
def test_a_folder_is_not_those_whose_names_begin_alike(over: dict[str, Any], inside: str, beside: str) -> None:
    for action in (READ, WRITE):
        assert may("execution", action, f"arn:aws:s3:::{inside}", **over)
        assert not may("execution", action, f"arn:aws:s3:::{beside}", **over)


def test_an_input_without_a_slash_is_all_that_begins_so_as_for_sagemaker() -> None:
    over = {"mode": "batch", "batch": {"input": "s3://bkt/in/part-", "output": "s3://bkt/out"}}
    assert may("execution", READ, "arn:aws:s3:::bkt/in/part-001.csv", **over)


@pytest.mark.parametrize("name", ["iris", "a" * 54, "a" * 61, "a" * 62, "a" * 63])
def test_deployer_reaches_its_own_names_however_long_and_no_deployment_that_begins_alike(name: str) -> None:
    over = {**FEATURES["components to zero"], "name": name}
    made = [call for call in calls(config(**over)) if call.service == "sagemaker"]
    for call in made:
        (arn,) = [f"arn:aws:sagemaker:{REGION}:123456789012:{call.key}"]
        assert may("deployer", f"sagemaker:{call.operation}", arn, **over), call.key
    for other in (f"{name}2", f"{name}-2"):
        arn = f"arn:aws:sagemaker:{REGION}:123456789012:endpoint/{other}"
        assert not may("deployer", "sagemaker:DeleteEndpoint", arn, **over)


def test_deployer_scales_nothing_but_sagemaker() -> None:
    """The key is one of the six actions, TagResource has none: its tag is ours. See list_awsapplicationautoscaling."""
    scale, tag = (statement("deployer", sid, FEATURES["scaling by concurrency"]) for sid in ("Scale", "TagScaling"))
    assert scale["Condition"] == {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
    assert tag["Condition"] == {"StringEquals": {"aws:RequestTag/managed-by": names.MANAGED_BY[1]}}
    assert "application-autoscaling:TagResource" not in scale["Action"]


def test_alarms_of_target_tracking_are_those_of_endpoint_and_components() -> None:
    arn = f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:TargetTracking-"
    for own in ("endpoint/churn/variant/main-AlarmHigh-1", "inference-component/churn-a-AlarmHigh-1"):
        assert may("deployer", "cloudwatch:PutMetricAlarm", arn + own)
    for other in ("endpoint/churn2/variant/main-AlarmHigh-1", "inference-component/churn2-a-AlarmHigh-1"):
        assert not may("deployer", "cloudwatch:PutMetricAlarm", arn + other)


@pytest.mark.parametrize("kind", ["execution", "deployer"])
def test_logs_are_those_of_the_name_where_the_group_has_one(kind: str) -> None:
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:/aws/sagemaker/"
    action = "logs:DescribeLogStreams"
    assert may(kind, action, f"{arn}Endpoints/churn:log-stream:")
    assert not may(kind, action, f"{arn}Endpoints/churn2:log-stream:")
    assert may(kind, action, f"{arn}InferenceComponents/churn-a:log-stream:", **FEATURES["components to zero"])
    assert may(kind, action, f"{arn}TrainingJobs:log-stream:churn-training-1a2b3c4d/algo-1", **EVERY["training"])


def test_whoever_deploys_with_a_key_for_the_disks_grants_its_use() -> None:
    """CreateEndpoint: https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html"""
    over = {"instances": {"kms_key": "1234abcd-12ab-34cd-56ef-1234567890ab"}, "capture": {**CAPTURE, "kms_key": "k"}}
    told = statement("deployer", "EncryptVolumes", over)
    assert told["Resource"] == [f"arn:aws:kms:{REGION}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
    assert "kms:CreateGrant" not in actions(policy("deployer", {}))


def test_each_action_of_sagemaker_scaling_and_iam_is_one_that_some_code_calls() -> None:
    words = {word for path in (ROOT / "deploy").rglob("*.py") for word in re.findall(r"\w+", path.read_text())}
    services = (
        "sagemaker:",
        "application-autoscaling:",
        "iam:",
        "servicequotas:",
        "pricing:",
        "savingsplans:",
        "logs:",
    )
    needed_by_others = {"iam:CreateServiceLinkedRole", "application-autoscaling:TagResource"}
    told = {
        each for each in actions(policy("deployer", FEATURES["scaling by concurrency"])) if each.startswith(services)
    }
    assert {each for each in told if each.partition(":")[2] not in words} == needed_by_others


def test_role_is_passed_to_sagemaker_alone_and_it_alone() -> None:
    told = statement("deployer", "HandOverTheRole", {})
    assert told["Resource"] == [ROLE]
    assert told["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_names_are_in_lower_case_as_arns_of_sagemaker_are() -> None:
    told = statement("deployer", "Deploy", {"name": "Churn-EU"})
    assert [each for each in told["Resource"] if not re.search(r"/churn-eu(-\*|/\*)?$", each)] == []


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
    assert {name for each in asked for name in each["ResourceArns"] if {"*", "?", "$"} & {*name}} == {"*"}


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


@pytest.mark.parametrize(
    ("service", "operation", "given", "told"),
    [
        ("sagemaker", "DeleteEndpoint", {"EndpointName": "Churn"}, ""),
        ("sagemaker", "DeleteEndpoint", {"EndpointName": "churn2"}, ":endpoint/churn2"),
        ("sagemaker", "CreateCluster", {}, "sagemaker:CreateCluster"),
        ("s3", "HeadObject", {"Bucket": "bucket", "Key": "churn/model.tar.gz"}, ""),
        ("s3", "HeadObject", {"Bucket": "bucket", "Key": "churn/model.tar.gz2"}, ":bucket/churn/model.tar.gz2"),
        ("application-autoscaling", "RegisterScalableTarget", {"ServiceNamespace": "sagemaker"}, ""),
        ("application-autoscaling", "RegisterScalableTarget", {"ServiceNamespace": "ecs"}, "RegisterScalableTarget"),
        ("cloudwatch", "DeleteAlarms", {"AlarmNames": ["churn-main-wake", "other"]}, ":alarm:other"),
        (
            "logs",
            "DescribeLogStreams",
            {"logGroupName": "/aws/sagemaker/Endpoints/other"},
            "Endpoints/other:log-stream:",
        ),
    ],
)
def test_calls_are_held_to_resource_and_condition(
    service: str, operation: str, given: dict[str, Any], told: str
) -> None:
    """By which flow/conftest judges every call of every verb."""
    found = refused(policy("deployer", {})["Statement"], [Asked(service, operation, given, REGION)])
    assert [told in each for each in found] == ([True] if told else [])


def test_statements_cover_the_calls_of_a_deployment() -> None:
    made: list[Call] = [call for over in EVERY.values() for call in calls(config(**over))]
    allowed = {name for over in EVERY.values() for name in actions(policy("deployer", over))}
    assert {f"{call.service}:{call.operation}" for call in made} - allowed == set()


def test_page_tells_every_statement_and_no_other() -> None:
    page = ROOT / "docs" / "iam.md"
    for kind, title in (("execution", "The execution role"), ("deployer", "Whoever deploys")):
        told = json.loads((iam.POLICIES / f"{kind}.json").read_text())["Statement"]
        assert section(page, title).names() == {each["Sid"] for each in told}
