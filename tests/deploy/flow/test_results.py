"""What jobs and registrations come to is told: by `up`, by `up` again, and by `status` after nobody waited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.configs import NEWER
from tests.deploy.flow.conftest import FILE, Cloud, Deploy, interrupted

MORE = """
training.output = "s3://bucket/trained"
recommend = {sample = "s3://bucket/sample.tar.gz", instance_types = ["ml.c5.large", "ml.g4dn.xlarge"]}
"""
REASON = "AlgorithmError: See job logs for more information"
AGAIN = "`--again` runs it once more"


@pytest.fixture(autouse=True)
def jobs(file: Path) -> None:
    file.write_text(FILE + MORE)


def fail(cloud: Cloud, noun: str) -> str:
    """The newest job of that noun ends as failed; its name."""
    *_, (name, record) = ((name, each) for (_, kind, name), each in cloud.double.shelf.records.items() if kind == noun)
    record |= {"TransformJobStatus": "Failed", "FailureReason": f"{REASON}."}
    return name


def newest(deploy: Deploy) -> dict[str, Any]:
    (told,) = deploy("status", "--output", "json").json()["newest_jobs"]
    return dict(told)


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("training", 'artifact = "s3://bucket/trained/churn-training-'),
        ("batch", "answers: s3://bucket/out/, FILE.out for each FILE"),
        ("recommend", "ml.c5.large     1      0.102        0.0000029         590                   82 ms"),
    ],
)
def test_job_that_nobody_waited_for_is_told_with_its_result_by_status_and_up(
    mode: str, line: str, deploy: Deploy, cloud: Cloud
) -> None:
    cloud.double.delays.job_s = 3600
    assert line not in deploy("up", mode, "--no-wait").out
    assert line not in (running := deploy("status").out)
    assert "  running: " in running
    cloud.double.delays.job_s = 0
    for record in cloud.double.shelf.records.values():
        record["due"] = 0
    told = deploy("status").out
    assert ("running" in told, f"    {line}" in told) == (False, True)
    done = deploy("up", mode)
    assert (f"is {newest(deploy)['status']}; {AGAIN}\n" in done.out, f"\n{line}" in done.out) == (True, True)
    assert AGAIN in deploy("plan", mode).out


@pytest.mark.parametrize(
    ("mode", "key"), [("training", "artifact"), ("batch", "answers"), ("recommend", "recommendations")]
)
def test_result_of_a_job_is_the_same_for_up_up_again_and_status_as_json(mode: str, key: str, deploy: Deploy) -> None:
    told = [deploy("up", mode, "--output", "json").json()[key] for _ in range(2)]
    assert told == [newest(deploy)[key]] * 2
    assert told[0]


def test_training_that_was_interrupted_tells_its_artifact_when_it_is_resumed(deploy: Deploy, cloud: Cloud) -> None:
    cloud.double.delays.job_s = 0.05
    interrupted(deploy, "up", "training")
    assert 'artifact = "s3://bucket/trained/churn-training-' in deploy("up", "training").out


def test_recommendations_are_valid_json_where_aws_measured_nothing(deploy: Deploy) -> None:
    """AWS says NaN, which JSON has no word for."""
    done = deploy("up", "recommend", "--output", "json")
    (first, _) = done.json()["recommendations"]
    assert (first["Metrics"]["MemoryUtilization"], "NaN" in done.out) == (None, False)
    assert first["EndpointConfiguration"]["InstanceType"] == "ml.c5.large"


def test_failed_job_is_told_by_status_and_before_it_is_paid_for_again(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up", "batch")
    name = fail(cloud, "TransformJob")
    told = newest(deploy)
    assert (told["job"], told["status"], told["reason"]) == (f"transform-job/{name}", "Failed", f"{REASON}.")
    assert f"is Failed: {REASON}" in deploy("status").out
    warning = f"transform-job/{name} is Failed: {REASON}. It is to run once more, and to be paid for again."
    planned = deploy("plan", "batch", "--output", "json")
    assert planned.json()["warnings"] == [warning]
    assert planned.json()["changes"][0]["what"] == f"transform-job/{name}-2"
    assert f"warning: {warning}" in deploy("up", "batch").err
    assert newest(deploy)["job"] == f"transform-job/{name}-2"
    assert deploy("plan", "batch", "--again", "--output", "json").json()["warnings"] == []


def test_job_that_runs_once_more_is_the_one_that_up_follows_and_tells(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up", "training")
    cloud.double.delays.job_s = 3600
    deploy("up", "training", "--again", "--no-wait")
    told = deploy("up", "training", "--no-wait", "--output", "json").json()
    assert (told["job"][-2:], told["status"], "artifact" in told) == ("-2", "InProgress", False)


def test_registered_version_is_told_by_up_up_again_and_status(deploy: Deploy) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/churn/"
    assert f"\nversion 1: {arn}1\n" in deploy("up", "register").out
    assert deploy("up", "register").out == f"churn: nothing to do\nversion 1: {arn}1\n"
    told = deploy("up", "register", "--image", NEWER, "--output", "json").json()
    assert (told["package"], told["package_version"]) == (f"{arn}2", 2)
    assert f"  registered version 2: {arn}2 PendingManualApproval\n" in deploy("status").out
    assert deploy("status", "--output", "json").json()["registered"]["package_version"] == 2


def test_status_looks_in_the_group_of_the_file(deploy: Deploy, file: Path) -> None:
    deploy("up", "register", "--set", "registry.group=models")
    assert deploy("status", "--output", "json").json()["registered"] is None
    file.write_text(f'{FILE}registry.group = "models"\n')
    assert "model-package/models/1" in deploy("status").out
