"""Calls to the double go wrong as a test orders: refused, unheard, lost, throttled, or at the worst moment."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from tests.deploy.double import LOST, THROTTLED, UNHEARD, Double, Fault
from tests.deploy.made import Client, model, refusal


def test_call_fails_as_ordered_and_the_next_does_not(double: Double, sagemaker: Any) -> None:
    double.faults.on("CreateModel", Fault("ResourceLimitExceeded", "The account-level service limit"))
    assert refusal(lambda: model(sagemaker)) == ("ResourceLimitExceeded", "The account-level service limit")
    model(sagemaker)
    assert double.changes == ["sagemaker:CreateModel", "sagemaker:CreateModel"]


def test_call_of_a_number_fails_whichever_it_is(double: Double, sagemaker: Any) -> None:
    double.faults.at(2, Fault("AccessDeniedException"))
    sagemaker.list_models()
    assert refusal(lambda: model(sagemaker))[0] == "AccessDeniedException"


@pytest.mark.parametrize(("fault", "done"), [(LOST, True), (UNHEARD, False)])
def test_answer_that_never_comes(fault: Fault, done: bool, double: Double, sagemaker: Any) -> None:
    double.faults.at(1, fault)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        model(sagemaker)
    assert double.shelf.left() == (["Model/m"] if done else [])


def test_time_out_is_one_for_the_client(double: Double) -> None:
    slow = boto3.Session().client("sagemaker", config=Config(read_timeout=0.1, retries={"total_max_attempts": 1}))
    double.faults.on("ListModels", Fault(silent=True, hang_s=0.3))
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        slow.list_models()


def test_throttling_is_one_for_the_client(double: Double) -> None:
    patient = boto3.Session().client("sagemaker", config=Config(retries={"total_max_attempts": 2, "mode": "standard"}))
    double.faults.on("ListModels", THROTTLED)
    assert patient.list_models()["ResponseMetadata"]["RetryAttempts"] == 1


def test_something_happens_between_the_deed_and_its_answer(double: Double, sagemaker: Any) -> None:
    """Where a process is killed in the worst moment."""
    left: list[str] = []
    double.faults.at(1, action=lambda: left.extend(double.shelf.left()))
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        model(sagemaker)
    assert left == ["Model/m"]


@pytest.mark.parametrize("service", ["s3", "iam", "sts", "ecr", "cloudwatch", "logs", "sns"])
def test_faults_and_the_log_are_those_of_every_service(service: str, double: Double, client: Client) -> None:
    calls = {
        "s3": ("list_buckets", "ListBuckets"),
        "iam": ("list_roles", "ListRoles"),
        "sts": ("get_caller_identity", "GetCallerIdentity"),
        "ecr": ("describe_repositories", "DescribeRepositories"),
        "cloudwatch": ("list_metrics", "ListMetrics"),
        "logs": ("describe_log_groups", "DescribeLogGroups"),
        "sns": ("list_topics", "ListTopics"),
    }
    method, operation = calls[service]
    call = getattr(client(service), method)
    double.faults.at(1, Fault("AccessDenied", "no"))
    assert refusal(call) == ("AccessDenied", "no")
    call()
    assert [str(each) for each in double.calls] == [f"{service}:{operation}"] * 2
    assert double.changes == []


def test_s3_keeps_what_it_is_given_and_its_calls_are_told(double: Double, client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="bucket", Key="folder/k", Body=b"\xff\x00")
    assert s3.get_object(Bucket="bucket", Key="folder/k")["Body"].read() == b"\xff\x00"
    assert double.changes == ["s3:CreateBucket", "s3:PutObject"]
