"""`doctor` on a healthy account, and with each part of it broken: wrong, unknown and fine are three different words."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor import machine
from deploy.doctor.account import clock
from deploy.doctor.image import MEDIA_TYPE, architecture
from deploy.permissions import trusts
from tests.deploy.configs import ROLE, TABLE
from tests.deploy.double import Double, Fault
from tests.deploy.double.layers import put
from tests.deploy.flow.conftest import Cloud, Deploy

NAME = "sagemaker-serving"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
DENIED = Fault("AccessDeniedException", "User: me is not authorized to perform this")
Doctor = Callable[..., dict[str, list[dict[str, str]]]]


def push(cloud: Cloud, cpu: str = "amd64", media_type: str = MEDIA_TYPE) -> str:
    """An image in the double's ECR; by digest."""
    digest = f"sha256:{cpu.encode().hex():c>64}"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {"digest": digest, "size": 1}, "layers": []}
    text = json.dumps(manifest)
    told = {"imageManifest": text, "imageManifestMediaType": media_type, "imageTag": cpu}
    of_all = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    cloud.aws.call("ecr", "PutImage", repositoryName=NAME, imageDigest=of_all, **told)
    put(digest, json.dumps({"architecture": cpu}).encode(), TABLE["region"])
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
    assert statement["Resource"] == ["arn:aws:s3:::bucket/churn/*"]


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
    assert (verdict, text.startswith(f"the CPU of {REGISTRY}")) == ("unknown", True)


def test_a_registry_that_is_not_ecr_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    assert only(doctor("--image", "ghcr.io/me/churn:1"), "image")[0] == "unknown"


# supplies


def test_an_artifact_that_may_not_be_read_is_not_known(healthy: Cloud, doctor: Doctor) -> None:
    healthy.double.faults.on("HeadObject", Fault("403", "Forbidden", 403))
    assert only(doctor(), "artifact")[0] == "unknown"


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


def test_all_of_it_reads_only(healthy: Cloud, double: Double, doctor: Doctor) -> None:
    """The fixture asserts it after every test; here for all modes."""
    for mode in ("realtime", "serverless", "async", "batch"):
        doctor(mode)
    assert len(double.calls) > 40
    assert double.changes == []
