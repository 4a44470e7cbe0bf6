"""Which part of an endpoint a request has to name, told after AWS has refused one. Called by verbs/invoke.

AWS's own words name headers; people write flags. Reads only what is there, so that an answer costs no more calls.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy import s3
from deploy.aws import Aws
from deploy.errors import DeployError

FLAGS = {
    "TargetVariant": "--variant",
    "InferenceComponentName": "--component",
    "TargetContainerHostname": "--container",
    "TargetModel": "--model",
}
SHOWN = 10
"""Names of a long list that are told."""


def next_step(aws: Aws, app: str, told: Mapping[str, str]) -> str:
    """Which flag to give or to leave out; empty where the request names what it has to, or nobody may look."""
    try:
        there = _parts(aws, app, told.get("TargetVariant"))
    except DeployError:
        return ""
    for field, flag in FLAGS.items():
        names, given = there.get(field, []), told.get(field)
        if given and not names:
            return f"Leave {flag} out: {app} has no such parts."
        if names and given not in (*names, *([None] if field == "TargetVariant" else [])):
            shown = [each.removeprefix(f"{app}-") if flag == "--component" else each for each in names]
            return f"Give {flag}: {', '.join(shown[:SHOWN])}{', ...' * (len(shown) > SHOWN)}."
    return ""


def _parts(aws: Aws, app: str, variant: str | None) -> dict[str, list[str]]:
    """By the field that names one, the names that there are; of several models those of the variant."""
    endpoint = aws.call("sagemaker", "DescribeEndpoint", EndpointName=app)
    told = aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=endpoint["EndpointConfigName"])
    models = {each["VariantName"]: each.get("ModelName") for each in told["ProductionVariants"]}
    parts = {"TargetVariant": [*models]}
    model = models.get(variant or parts["TargetVariant"][0])
    if model:
        return parts | _of_model(aws, model)
    found = aws.every("sagemaker", "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=app)
    return parts | {"InferenceComponentName": sorted(each["InferenceComponentName"] for each in found)}


def _of_model(aws: Aws, model: str) -> dict[str, list[str]]:
    told = aws.call("sagemaker", "DescribeModel", ModelName=model)
    if told.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        return {"TargetContainerHostname": [each["ContainerHostname"] for each in told["Containers"]]}
    container = told.get("PrimaryContainer", {})
    if container.get("Mode") != "MultiModel":
        return {}
    bucket, prefix = s3.split(container["ModelDataUrl"])
    found = aws.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {"TargetModel": [each["Key"].removeprefix(prefix) for each in found]}
