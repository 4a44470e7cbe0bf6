"""deploy/ against the double, in this process: what the verbs do, without the command line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy import down, flags, iam
from deploy.__main__ import main
from deploy.aws import Aws
from deploy.change import Plan
from deploy.config import Config
from deploy.terminal import Terminal
from deploy.verbs import down as down_verb
from deploy.verbs import plan as plan_verb
from deploy.verbs import up as up_verb
from deploy.wait import Pace
from tests.deploy.allowed import refused
from tests.deploy.configs import EVERY, IMAGE, ROLE, TABLE, config
from tests.deploy.double import Double
from tests.deploy.flow.direct import DirectAws

Deploy = Callable[..., "Run"]

QUICK = {"creating_s": 0.0, "updating_s": 0.0, "rolling_back_s": 0.0, "deleting_s": 0.0, "job_s": 0.0}
BUCKET = "bucket"
DEPLOYER = [
    each for over in EVERY.values() for each in iam.policy("deployer", config(**over), TABLE["region"])["Statement"]
]
"""Of every mode and feature."""
OF_TESTS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "sagemaker:DeleteTags"}
"""What tests do in the place of the container, or of somebody else."""
ELSEWHERE = re.compile(
    r"(churn-two|model-package-group/models|/no(pe|thing)\.tar\.gz|:(else|no)where|sagemaker-other|:ecr-layers/.+)$"
)
"""What tests name that is in no deploy.toml of configs.py, and layers, which ECR's answer lets everybody fetch."""
ARTIFACTS = ("churn/model.tar.gz", "b.tar.gz", "models/a.tar.gz", "churn/files/weights.bin", "sample.tar.gz")


@dataclass
class Cloud:
    """AWS as the double has it, and the verbs."""

    aws: Aws
    double: Double

    def up(self, config: Config, **options: Any) -> dict[str, Any]:
        return up_verb.deploy(self.aws, config, Terminal(), Pace(0.002, 10), **options)

    def plan(self, config: Config, **options: Any) -> Plan:
        return plan_verb.made(self.aws, config, Terminal(), **options)

    def down(self, name: str = TABLE["name"], **options: Any) -> list[str]:
        planned = down.plan(self.aws, name, **options)
        return down_verb.remove(self.aws, name, planned, Terminal(), Pace(0.002, 10), **options)

    def changes_of(self, config: Config, **options: Any) -> list[str]:
        """The calls of an `up` that may change something."""
        before = len(self.double.changes)
        self.up(config, **options)
        return self.double.changes[before:]

    def endpoint(self) -> dict[str, Any]:
        return self.aws.call("sagemaker", "DescribeEndpoint", EndpointName=TABLE["name"])

    def running(self) -> tuple[str, str]:
        """The endpoint's status, and the variable A of what it runs."""
        records = self.double.shelf.records
        where = TABLE["region"]
        endpoint = records[where, "Endpoint", TABLE["name"]]
        (variant,) = records[where, "EndpointConfig", endpoint["EndpointConfigName"]]["ProductionVariants"]
        names = [variant["ModelName"]] if "ModelName" in variant else []
        names += [each["Specification"]["ModelName"] for each in records.values() if "Specification" in each]
        found = {records[where, "Model", name]["PrimaryContainer"]["Environment"]["A"] for name in names}
        return endpoint["EndpointStatus"], "".join(sorted(found))

    def left(self) -> list[str]:
        """Everything of every kind that is there; ended jobs apart, which AWS keeps."""
        scaling = self.aws.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
        alarms = self.aws.call("cloudwatch", "DescribeAlarms")["MetricAlarms"]
        jobs = ("TransformJob/", "TrainingJob/", "InferenceRecommendationsJob/")
        there = [each for each in self.double.shelf.left() if not each.startswith(jobs)]
        return [
            *there,
            *(each["ResourceId"] for each in scaling["ScalableTargets"]),
            *(each["AlarmName"] for each in alarms),
        ]


@pytest.fixture(scope="session")
def one_aws(one_double: Double) -> Aws:
    """Clients are made once: botocore reads 20 MB of models for them."""
    return DirectAws(TABLE["region"], one_double)


class Run(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


FILE = f"""
name = "churn"
region = "eu-west-1"
role = "{ROLE}"
image = "{IMAGE}"
artifact = "s3://bucket/churn/model.tar.gz"
async.output = "s3://bucket/answers"
batch = {{input = "s3://bucket/in/", output = "s3://bucket/out/"}}
"""


@pytest.fixture
def file(cloud: Cloud) -> Path:
    """deploy.toml in the test's folder."""
    path = Path("deploy.toml")
    path.write_text(FILE)
    return path


@pytest.fixture
def deploy(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Deploy:
    """deploy("up", "--count", "2"): the command line in this process, in the test's folder."""
    monkeypatch.setattr(Aws, "_client", lambda _, service: cloud.aws._client(service))
    monkeypatch.setattr(flags, "POLL_S", 0.002)

    def run(*words: str) -> Run:
        capfdbinary.readouterr()
        code = main([*words])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Run(code, out.decode(), err.decode())

    return run


def interrupted(deploy: Deploy, *words: str) -> Run:
    """The verb, with Ctrl-C at its first wait."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Pace, "next", interrupt)
        done: Run = deploy(*words)
    assert done.code == 130
    return done


@pytest.fixture
def cloud(double: Double, one_aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """With the artifacts in S3, states that take no time, and the journal in a folder of the test.

    Every call that a test makes has to be one that the deployer's policy allows, on what it allows.
    """
    monkeypatch.chdir(tmp_path)
    vars(double.delays).update(QUICK)
    where = {"LocationConstraint": TABLE["region"]}
    one_aws.call("s3", "CreateBucket", Bucket=BUCKET, CreateBucketConfiguration=where)
    for key in ARTIFACTS:
        one_aws.call("s3", "PutObject", Bucket=BUCKET, Key=key, Body=b"weights")
    double.calls.clear()
    yield Cloud(one_aws, double)
    assert {each for each in refused(DEPLOYER, double.calls) if not ELSEWHERE.search(each)} - OF_TESTS == set()
