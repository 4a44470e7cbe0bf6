"""What the double's own tests make with plain boto3: a model m, configurations c and d, an endpoint e."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.system.client import wait_until

ROLE = "arn:aws:iam::123456789012:role/execution"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-serving@sha256:" + "0" * 64
Client = Callable[[str], Any]
"""client("sagemaker"): the fixture of that name."""


def model(sagemaker: Any, name: str = "m", **more: Any) -> None:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, **more)


def config(sagemaker: Any, name: str = "c", model_name: str = "m", **more: Any) -> None:
    variant = {
        "VariantName": "main",
        "ModelName": model_name,
        "InstanceType": "ml.g6.xlarge",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)


def endpoint(sagemaker: Any) -> None:
    """One with two configurations, c and d, of which it runs c."""
    model(sagemaker)
    config(sagemaker)
    config(sagemaker, "d")
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")


def status(sagemaker: Any) -> str:
    return str(sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"])


def is_(sagemaker: Any, wanted: str) -> None:
    wait_until(lambda: status(sagemaker) == wanted, 5, f"the endpoint is {wanted}")


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
