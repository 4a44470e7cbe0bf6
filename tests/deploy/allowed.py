"""What a policy allows, as far as the tests ask: whether each call that was made is one of its actions, on a resource
and under a condition of the same statement. What a call is authorized on is told by its own parameters alone.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.deploy.double.call import ACCOUNT, Call

SERVICES = {"sagemaker-runtime": "sagemaker", "service-quotas": "servicequotas"}
"""Services that IAM calls otherwise than boto3."""

OPERATIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    **{f"s3:{each}MultipartUpload": "s3:PutObject" for each in ("Create", "Complete")},
    "s3:UploadPart": "s3:PutObject",
    "sts:GetCallerIdentity": "",  # everyone may
}
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"""

NAMES = {
    "EndpointName": "endpoint/{}",
    "EndpointConfigName": "endpoint-config/{}",
    "InferenceComponentName": "inference-component/{}",
    "JobName": "inference-recommendations-job/{}",
    "ModelName": "model/{}",
    "ModelPackageGroupName": "model-package-group/{}",
    "TrainingJobName": "training-job/{}",
    "TransformJobName": "transform-job/{}",
}
"""UpdateEndpoint is held to the configuration too: https://github.com/aws-controllers-k8s/community/issues/1889"""
ARNS = ("ResourceArn", "ResourceARN", "ModelPackageName", "ModelPackageArn")
NAMESPACE = "application-autoscaling:service-namespace"

Statement = dict[str, Any]


def action(call: Call) -> str:
    name = f"{SERVICES.get(call.service, call.service)}:{call.operation}"
    return OPERATIONS.get(name, name)


def actions(policy: dict[str, Any]) -> set[str]:
    told = [each["Action"] for each in policy["Statement"]]
    return {name for each in told for name in ([each] if isinstance(each, str) else each)}


def resources(call: Call) -> Iterator[str]:
    """The ARNs that a call names; none for lists, which have no resource, and for services not looked at."""
    given, region = call.parameters, call.region
    yield from (given[each] for each in ARNS if each in given)
    match call.service:
        case "sagemaker" | "sagemaker-runtime" if not call.operation.startswith("List"):
            arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:"
            yield from (arn + path.format(given[name].lower()) for name, path in NAMES.items() if name in given)
        case "s3":
            yield f"arn:aws:s3:::{given['Bucket']}" + (f"/{given['Key']}" if "Key" in given else "")
        case "application-autoscaling" if not call.operation.startswith("Describe"):
            yield f"arn:aws:{call.service}:{region}:{ACCOUNT}:scalable-target/1a2b"
        case "cloudwatch" if call.operation in ("PutMetricAlarm", "DeleteAlarms"):
            alarms = given.get("AlarmNames", [given.get("AlarmName")])
            yield from (f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{each}" for each in alarms)
        case "logs":
            stream = f"log-stream:{given.get('logStreamName', '')}"
            yield f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{given['logGroupName']}:{stream}"
        case "ecr" if "repositoryName" in given:
            yield f"arn:aws:ecr:{region}:{given.get('registryId', ACCOUNT)}:repository/{given['repositoryName']}"


def fits(pattern: str, text: str) -> bool:
    """As IAM reads * and ?."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(each, re.escape(each)) for each in pattern), text) is not None


def refused(statements: Iterable[Statement], calls: Iterable[Call]) -> set[str]:
    """What the calls need and no statement allows: the action, or the action and its resource."""
    told, found = list(statements), set()
    for call in calls:
        if {"RoleArn", "ExecutionRoleArn"} & call.parameters.keys():
            found |= _refused(told, call, "iam:PassRole", [])
        if name := action(call):
            found |= _refused(told, call, name, [*resources(call)])
    return found


def _refused(statements: list[Statement], call: Call, name: str, arns: list[str]) -> set[str]:
    here = [each for each in statements if name in each["Action"] and _holds(each, call)]
    if not here:
        return {name}
    return {
        f"{name} on {arn}" for arn in arns if not any(fits(like, arn) for each in here for like in each["Resource"])
    }


def _holds(statement: Statement, call: Call) -> bool:
    """Its condition, if that is on what the call says."""
    wanted = statement.get("Condition", {}).get("StringEquals", {}).get(NAMESPACE)
    return wanted in (None, call.parameters.get("ServiceNamespace"))
