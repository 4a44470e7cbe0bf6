"""REQ: each assertion is held by plain requests and broken by faulty ones, and by no other."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_test.conformance import policy
from local_test.conformance.claims import CAPABILITY
from tests.conformance.derived import derived
from tests.conformance.judge import Judge, neighbours, on_paper

IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-twin:1"
ROLE = "arn:aws:iam::111111111111:role/sagemaker-twin"
MODEL = {
    "ModelName": "twin",
    "ExecutionRoleArn": ROLE,
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"LEVEL": "info"}},
}
VARIANT = {"VariantName": "only", "ModelName": "twin", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
LARGE = {
    "ModelDataDownloadTimeoutInSeconds": 1200,
    "ContainerStartupHealthCheckTimeoutInSeconds": 1200,
    "VolumeSizeInGB": 100,
}
CONFIG = {"EndpointConfigName": "twin", "ProductionVariants": [{**VARIANT, **LARGE}]}
PLAIN: dict[str, Any] = {
    "CreateModel": MODEL,
    "CreateEndpointConfig": CONFIG,
    "CreateEndpoint": {"EndpointName": "twin", "EndpointConfigName": "twin"},
    "CreateTransformJob": {
        "TransformJobName": "twin",
        "ModelName": "twin",
        "Environment": {"LEVEL": "debug"},
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}}},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out/"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
    "role-policy": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ecr:*", "logs:*", "cloudwatch:PutMetricData"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject", "s3:ListBucket"], "Resource": "*"},
        ],
    },
}
MULTI = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/models/"}
DIRECT = [{"Image": IMAGE, "ContainerHostname": "first"}, {"Image": IMAGE, "ContainerHostname": "second"}]
SERVERLESS = {
    "VariantName": "only",
    "ModelName": "twin",
    "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
}

Change = Callable[[dict[str, Any]], object]
"""Changes the bodies."""


def multi_model(given: dict[str, Any]) -> None:
    given["CreateModel"]["PrimaryContainer"] = dict(MULTI)


def direct(given: dict[str, Any]) -> None:
    del given["CreateModel"]["PrimaryContainer"]
    given["CreateModel"] |= {"Containers": copy.deepcopy(DIRECT), "InferenceExecutionConfig": {"Mode": "Direct"}}


def serverless(given: dict[str, Any]) -> None:
    given["CreateEndpointConfig"]["ProductionVariants"] = [dict(SERVERLESS)]


def faulty_multi_model(given: dict[str, Any]) -> None:
    multi_model(given)
    given["CreateModel"]["PrimaryContainer"]["ModelDataUrl"] = "s3://bucket/models"


def faulty_direct(given: dict[str, Any]) -> None:
    direct(given)
    given["CreateModel"]["Containers"][1]["ContainerHostname"] = "first"


def faulty_serverless(given: dict[str, Any]) -> None:
    serverless(given)
    given["CreateModel"]["EnableNetworkIsolation"] = True


def many_variables(given: dict[str, Any]) -> None:
    given["CreateTransformJob"]["Environment"] = {f"V{number}": "" for number in range(17)}


HELD: dict[str, Change] = {"REQ-03": multi_model, "REQ-04": direct, "REQ-05": serverless}
FAULTY: dict[str, Change] = {
    "REQ-01": lambda given: given["CreateEndpoint"].pop("EndpointConfigName"),
    "REQ-02": many_variables,
    "REQ-03": faulty_multi_model,
    "REQ-04": faulty_direct,
    "REQ-05": faulty_serverless,
    "REQ-06": lambda given: given["CreateEndpointConfig"]["ProductionVariants"][0].pop("VolumeSizeInGB"),
    "REQ-07": lambda given: given["role-policy"]["Statement"].pop(),
}

COUNTER_EXAMPLES = {
    "REQ-01": "CreateEndpoint without EndpointConfigName",
    "REQ-02": "CreateTransformJob with 17 variables",
    "REQ-03": "ModelDataUrl without a slash at its end",
    "REQ-04": "two containers of one hostname",
    "REQ-05": "a serverless variant of a model under network isolation",
    "REQ-06": "a model of 11 GB, and a variant without VolumeSizeInGB",
    "REQ-07": "a policy without S3",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Change], dict[str, Path]]:
    """write(CHANGE) -> the options for the changed bodies, and for a large model."""

    def write_one(change: Change) -> dict[str, Path]:
        given = copy.deepcopy(PLAIN)
        change(given)
        for name, body in given.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(body))
        with (tmp_path / "model.tar.gz").open("wb") as file:
            file.truncate(11 * 10**9)  # it takes no place
        return {"requests_dir": tmp_path, "artifact": tmp_path / "model.tar.gz"}

    return write_one


Write = Callable[[Change], dict[str, Path]]


def test_plain_requests_hold_all(write: Write) -> None:
    verdicts = on_paper(["REQ"], **write(dict.copy))
    assert (verdicts.failed, verdicts.rest.keys()) == (set(), HELD.keys())


@pytest.mark.parametrize("name", HELD)
def test_requests_of_each_kind_hold(name: str, write: Write) -> None:
    verdicts = on_paper(["REQ"], **write(HELD[name]))
    assert verdicts.failed == set()
    assert name in verdicts.held


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_is_seen_and_nothing_else(fault: str, write: Write) -> None:
    assert on_paper(neighbours(fault), **write(FAULTY[fault])).failed == {fault}


def test_without_requests_the_option_is_named() -> None:
    assert all("--requests-dir" in reason for reason in on_paper(["REQ"]).rest.values())


def test_a_multi_model_image_needs_its_label(judge: Judge, write: Write, twin_image: str) -> None:
    image = derived(twin_image, f'LABEL {CAPABILITY}multi-models=""')
    assert judge(["REQ"], image=image, **write(multi_model)).failed == {"REQ-03"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda given: given["CreateModel"].update(Modelname="x"), "Unknown parameter"),
        (lambda given: given["CreateModel"].update(ExecutionRoleArn="role/sagemaker-twin-serving"), "does not fit"),
        (lambda given: given["CreateEndpointConfig"]["ProductionVariants"][0].update(VolumeSizeInGB=1000), "1 to 512"),
        (lambda given: given["CreateEndpointConfig"]["ProductionVariants"][0].update(InstanceType="m5"), "'m5', none"),
    ],
)
def test_what_the_service_refuses_is_named(change: Change, says: str, write: Write) -> None:
    verdicts = on_paper(["REQ-01", "REQ-02"], **write(change))
    assert verdicts.failed == {"REQ-01"}
    assert says in verdicts.says("REQ-01")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda given: given["CreateModel"].update(ModelName="x" * 64), "64 characters"),
        (lambda given: given["CreateEndpoint"].update(EndpointName="a_b"), "does not fit"),
        (lambda given: given["CreateModel"]["PrimaryContainer"].update(Environment={"A-B": ""}), "does not fit"),
        (
            lambda given: given["CreateModel"]["PrimaryContainer"].update(
                Environment={f"V{number}": "x" * 1000 for number in range(40)}
            ),
            "of all containers",
        ),
    ],
)
def test_a_name_that_does_not_fit_is_named(change: Change, says: str, write: Write) -> None:
    verdicts = on_paper(["REQ-01", "REQ-02"], **write(change))
    assert verdicts.failed == {"REQ-02"}
    assert says in verdicts.says("REQ-02")


def test_a_body_that_is_no_json_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "CreateModel.json").write_text("{")
    assert "CreateModel.json is not JSON" in on_paper(["REQ-01"], requests_dir=tmp_path).says("REQ-01")


def statement(effect: str, **more: object) -> dict[str, object]:
    return {"Effect": effect, "Resource": "*", **more}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([statement("Allow", Action="s3:getobject")], True),
        ([statement("Allow", Action=["s3:*"]), statement("Deny", Action="s3:Get*")], False),
        ([statement("Allow", Action="*"), statement("Deny", Action="*", Resource="arn:aws:s3:::other/*")], True),
        ([statement("Allow", NotAction="iam:*")], True),
        ([statement("Allow", NotAction=["s3:*"])], False),
        ([], False),
    ],
)
def test_a_policy_is_read_as_the_platform_reads_it(statements: list[dict[str, object]], allowed: bool) -> None:
    assert policy.allows(statements, "s3:GetObject") is allowed


def test_a_policy_is_found_in_what_the_command_line_prints() -> None:
    printed = {"RoleName": "x", "PolicyDocument": {"Statement": statement("Allow", Action="*")}}
    assert list(policy.statements(printed)) == [statement("Allow", Action="*")]


def test_what_a_deployment_needs_depends_on_what_stands_in_it() -> None:
    extra = policy.needed({"CreateModel": {"VpcConfig": {}, "PrimaryContainer": MULTI}}) - set(policy.ALWAYS)
    assert extra == {*policy.VPC, *policy.LIST}
