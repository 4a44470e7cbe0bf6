"""An account in which `up` would work, and `doctor` in it. Each test breaks one thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from deploy.doctor import machine
from deploy.doctor.image import MEDIA_TYPE
from tests.deploy.configs import TABLE
from tests.deploy.double.layers import put
from tests.deploy.flow.conftest import Cloud, Deploy, cloud, deploy, file, one_aws

__all__ = ["cloud", "deploy", "file", "one_aws"]

NAME = "sagemaker-serving"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
Doctor = Callable[..., dict[str, list[dict[str, str]]]]


def push(
    cloud: Cloud, cpu: str = "amd64", media_type: str = MEDIA_TYPE, labels: Mapping[str, str] | None = None
) -> str:
    """An image in the double's ECR; by digest."""
    config = json.dumps({"architecture": cpu, "config": {"Labels": labels}}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {"digest": digest, "size": 1}, "layers": []}
    text = json.dumps(manifest)
    told = {"imageManifest": text, "imageManifestMediaType": media_type, "imageTag": digest[-8:]}
    of_all = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    cloud.aws.call("ecr", "PutImage", repositoryName=NAME, imageDigest=of_all, **told)
    put(digest, config, TABLE["region"])
    return f"{REGISTRY}/{NAME}@{of_all}"


@pytest.fixture
def healthy(cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account in which `up` would work, and a machine with Docker. Nothing is changed by any test."""
    trust = json.dumps(TRUST)
    cloud.aws.call("iam", "CreateRole", RoleName="sagemaker-run", AssumeRolePolicyDocument=trust)
    cloud.aws.call("iam", "CreateUser", UserName="moto")
    cloud.aws.call("ecr", "CreateRepository", repositoryName=NAME)
    file.write_text(file.read_text().replace(TABLE["image"], push(cloud)))
    cloud.double.quotas = {"ml.m5.large for endpoint usage": 4.0}
    monkeypatch.setattr(machine, "ASK", ("echo", "26.1.5, linux/amd64"))
    cloud.double.calls.clear()
    yield cloud
    assert cloud.double.changes == []


@pytest.fixture
def doctor(deploy: Deploy) -> Doctor:
    """doctor("--role", ...) -> findings by subject; the exit code has to be what they say."""

    def run(*words: str) -> dict[str, list[dict[str, str]]]:
        done = deploy("doctor", "--output", "json", *words)
        told = done.json()
        found: dict[str, list[dict[str, str]]] = {}
        for each in told["findings"]:
            found.setdefault(each["subject"], []).append(each)
        assert done.code == (1 if told["wrong"] else 0)
        for verdict in ("fine", "note", "unknown", "wrong"):
            assert told[verdict] == sum(each["verdict"] == verdict for each in told["findings"])
        assert all(each["change"] for each in told["findings"] if each["verdict"] in ("wrong", "unknown"))
        return found

    return run


def only(found: dict[str, list[dict[str, str]]], subject: str) -> tuple[str, str]:
    """Verdict and text of the one finding about a subject, and what to change."""
    (each,) = found[subject]
    return each["verdict"], f"{each['text']} -> {each['change']}"
