"""`doctor` with another image, artifact, bucket, quota, or no Docker."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from deploy.doctor import machine
from deploy.doctor.image import architecture
from tests.deploy.doctor.conftest import NAME, REGISTRY, Doctor, only, push
from tests.deploy.double import Fault
from tests.deploy.flow.conftest import Cloud

DENIED = Fault("AccessDeniedException", "User: me is not authorized to perform this")


# the image


def test_an_image_that_is_not_there_is_wrong(healthy: Cloud, doctor: Doctor) -> None:
    for image, what in {
        f"{NAME}@sha256:{'0' * 64}": "image",
        f"sagemaker-other@sha256:{'0' * 64}": "repository",
    }.items():
        verdict, text = only(doctor("--image", f"{REGISTRY}/{image}"), "image")
        assert verdict == "wrong"
        assert f"there is no such {what}: {REGISTRY}/{image} -> Push it: ./build_and_push.sh --instance-type" in text


def test_an_image_of_another_cpu_is_wrong_either_way(healthy: Cloud, doctor: Doctor) -> None:
    arm = push(healthy, "arm64")
    healthy.double.calls.clear()
    verdict, text = only(doctor("--image", arm), "image")
    assert (verdict, "is for arm64, ml.m5.large is amd64" in text) == ("wrong", True)
    healthy.double.quotas["ml.c7g.large for endpoint usage"] = 4.0
    assert only(doctor("--image", arm, "--instance-type", "ml.c7g.large"), "image")[0] == "fine"
    found = only(doctor("--instance-type", "ml.c7g.large"), "image")
    assert found[0] == "wrong"
    assert "--instance-type ml.c7g.large" in found[1]


@pytest.mark.parametrize(
    ("kind", "cpu"),
    [
        ("ml.c7g.large", "arm64"),
        ("ml.m6gd.xlarge", "arm64"),
        ("ml.g5g.xlarge", "arm64"),
        ("ml.p6e-gb200.36xlarge", "arm64"),
    ]
    + [(kind, "amd64") for kind in ("ml.m5.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.inf2.xlarge", "serverless")],
)
def test_a_type_says_its_cpu(kind: str, cpu: str) -> None:
    assert architecture(kind) == cpu


def test_a_manifest_that_sagemaker_refuses_is_wrong(healthy: Cloud, doctor: Doctor) -> None:
    image = push(healthy, "index", "application/vnd.oci.image.manifest.v1+json")
    healthy.double.calls.clear()
    assert "application/vnd.oci.image.manifest.v1+json" in doctor("--image", image)["image"][0]["text"]


def test_an_image_of_another_region_is_wrong_before_anything_is_asked(healthy: Cloud, doctor: Doctor) -> None:
    image = f"{REGISTRY.replace('eu-west-1', 'us-east-1')}/{NAME}:1"
    assert "is in us-east-1, the endpoint will be in eu-west-1" in only(doctor("--image", image), "image")[1]


def test_an_image_that_may_not_be_looked_at_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("DescribeImages", DENIED)
    assert only(doctor(), "image")[0] == "unknown"


def test_a_cpu_that_is_not_told_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("GetDownloadUrlForLayer", DENIED)
    verdict, text = only(doctor(), "image")
    assert (verdict, text.startswith(f"the CPU and the labels of {REGISTRY}")) == ("unknown", True)


def test_a_registry_that_is_not_ecr_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    """SageMaker takes one in the VPC, by a field that no key of ours fills."""
    verdict, text = only(doctor("--image", "ghcr.io/me/churn:1"), "image")
    assert (verdict, "ImageConfig, for which `python -m deploy` has no key" in text) == ("unknown", True)


CAPABILITY = "com.amazonaws.sagemaker.capabilities."
SEVERAL = ("--set", 'containers=[{hostname="one"},{hostname="two"}]')


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (("multi-model", "--artifact", "s3://bucket/models/"), f"{CAPABILITY}multi-models"),
        (("multi-container", *SEVERAL), f"{CAPABILITY}accept-bind-to-port"),
        (("pipeline", *SEVERAL), f"{CAPABILITY}accept-bind-to-port"),
    ],
)
def test_req_03_an_image_has_to_carry_the_label_of_its_mode(
    healthy: Cloud, doctor: Doctor, words: tuple[str, ...], label: str
) -> None:
    without, with_it = push(healthy, labels={"title": "x"}), push(healthy, labels={label: "true"})
    healthy.double.calls.clear()
    verdict, text = only(doctor(*words, "--image", without), "image")
    assert (verdict, f"has no label {label}=true" in text) == ("wrong", True)
    assert only(doctor(*words, "--image", with_it), "image")[0] == "fine"


# supplies


def test_an_artifact_that_may_not_be_read_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("HeadObject", Fault("403", "Forbidden", 403))
    verdict, text = only(doctor(), "artifact")
    statement = json.loads(text[text.index("{") :])
    assert (verdict, statement["Action"]) == ("unknown", ["s3:GetObject"])
    assert "arn:aws:s3:::bucket/churn/model.tar.gz" in statement["Resource"]


def test_buckets_are_there_and_of_the_region(healthy: Cloud, doctor: Doctor, client: Any) -> None:
    client("s3").create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    healthy.double.calls.clear()
    found = doctor("async", "--set", "async.output=s3://elsewhere/out", "--set", "async.failures=s3://nowhere/out")
    told = {each["text"].split()[0]: each["verdict"] for each in found["buckets"]}
    assert told == {"bucket,": "fine", "elsewhere": "wrong", "there": "wrong"}


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("--count", "2"), "fine"),
        (("--count", "3"), "note"),
        (("--count", "3", "--set", "update.strategy=rolling", "--set", "update.size=10"), "fine"),
        (("--count", "5"), "wrong"),
        (("--set", "scaling.max=5", "--set", "scaling.target=70"), "wrong"),
        (("--instance-type", "ml.g5.xlarge"), "unknown"),
    ],
)
def test_a_quota_has_to_do_for_all_instances_and_an_update(
    healthy: Cloud, doctor: Doctor, words: tuple[str, ...], verdict: str
) -> None:
    """Blue and green are there side by side."""
    found, text = only(doctor(*words), "quota")
    assert found == verdict
    assert verdict != "wrong" or "aws service-quotas request-service-quota-increase" in text


def test_jobs_have_quotas_of_their_own(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.quotas = {"ml.m5.large for transform job usage": 0.0}
    verdict, text = only(doctor("batch"), "quota")
    assert (verdict, "ml.m5.large for transform job usage: 0, and 1 are wanted" in text) == ("wrong", True)


def test_serverless_has_no_instances_to_count(healthy: Cloud, doctor: Doctor) -> None:
    assert "quota" not in doctor("serverless")


# this machine


@pytest.mark.parametrize(
    ("command", "text"), [(("no-such-docker",), "not installed"), (("false",), "no engine answers")]
)
def test_no_docker_is_a_note_since_ci_deploys_without(
    healthy: Cloud, doctor: Doctor, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], text: str
) -> None:
    monkeypatch.setattr(machine, "ASK", command)
    verdict, told = only(doctor(), "Docker")
    assert (verdict, text in told) == ("note", True)


def test_an_engine_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("docker", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    (found,) = machine.docker()
    assert found.verdict == "note"
