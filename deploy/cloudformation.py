"""The calls of a deployment as a CloudFormation template. Pure; called by the verb export.

Models and configurations get no names here: CloudFormation makes names up, so that it can replace what cannot be
changed, put the endpoint on the new one, and remove the old one then. Endpoints and components keep the names that
clients know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy import names
from deploy.call import STAND_IN, Call
from deploy.requests.scaling import COPIES

Resource = dict[str, Any]

VERSION = "2010-09-09"
LIMIT_BYTES = 51_200
"""Of a template that is not in S3: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
MANAGED_BY = "cloudformation"
"""In place of our own tag: `down` must not take away what belongs to a stack."""

TYPES = {
    "CreateModel": "AWS::SageMaker::Model",
    "CreateEndpointConfig": "AWS::SageMaker::EndpointConfig",
    "CreateEndpoint": "AWS::SageMaker::Endpoint",
    "CreateInferenceComponent": "AWS::SageMaker::InferenceComponent",
    "CreateModelPackageGroup": "AWS::SageMaker::ModelPackageGroup",
    "CreateModelPackage": "AWS::SageMaker::ModelPackage",
    "RegisterScalableTarget": "AWS::ApplicationAutoScaling::ScalableTarget",
    "PutScalingPolicy": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "PutMetricAlarm": "AWS::CloudWatch::Alarm",
}
"""PutScheduledAction is a part of its target."""

ABSENT = {
    "CreateTransformJob": "a batch transform job: `python -m deploy up batch`, or `aws sagemaker create-transform-job`",
    "CreateTrainingJob": "a training job: `python -m deploy up training`, or `aws sagemaker create-training-job`",
    "CreateInferenceRecommendationsJob": "an Inference Recommender job: `python -m deploy up recommend`",
}
"""What CloudFormation has no resource for, and what makes it instead."""

UNNAMED = {"CreateModel": "ModelName", "CreateEndpointConfig": "EndpointConfigName"}
REFERRED = {"ModelName": "model", "EndpointConfigName": "endpoint-config", "EndpointName": "endpoint"}
"""Field -> the kind that it names."""
OUTPUTS = {
    "CreateModel": ("ModelName", "ModelName"),
    "CreateEndpoint": ("EndpointName", "EndpointName"),
    "CreateModelPackage": ("ModelPackageArn", "ModelPackageArn"),
}
KEEPS_COUNTS = {
    "RetainAllVariantProperties": True,
    "ExcludeRetainedVariantProperties": [
        {"VariantPropertyType": "DesiredWeight"},
        {"VariantPropertyType": "DataCaptureConfig"},
    ],
}
"""What scaling has come to stays, as `up` keeps it."""
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
"""Of the registry: a new version is no reason to remove the one before, nor is the end of the stack."""


@dataclass
class Template:
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """What it cannot hold, and who makes it instead."""

    def as_json(self, description: str) -> dict[str, Any]:
        told = {"NotInThisTemplate": self.left_out} if self.left_out else {}
        return {
            "AWSTemplateFormatVersion": VERSION,
            "Description": description,
            "Metadata": {"MadeBy": "python -m deploy export cloudformation", **told},
            "Resources": self.resources,
            "Outputs": self.outputs,
        }


def template(calls: list[Call], app: str) -> Template:
    """Everything of the calls that CloudFormation can make; the same calls give the same template."""
    made, ids = Template(), logical_ids(calls, app)
    for call in calls:
        if call.operation in ABSENT:
            made.left_out.append(ABSENT[call.operation])
        elif call.operation == "PutScheduledAction":
            _schedule(made.resources[ids[_target_of(call)]], call)
        else:
            made.resources[ids[call.key]] = _resource(call, calls, ids)
            made.outputs |= _output(call, ids)
    return made


def logical_ids(calls: list[Call], app: str) -> dict[str, str]:
    """Key -> id in the template: of kind and role, without digest, so that a new version replaces the old one."""
    ids: dict[str, str] = {}
    for call in calls:
        label = call.name
        if call.operation in (*UNNAMED, "CreateModelPackage"):
            label = names.without_digest(label)
        label = re.sub(rf"(^|/){re.escape(app)}(-|/|$)", "/", label).replace("/variant/", "/")
        base = _words(call.kind) + _words(label.removeprefix("endpoint/").removeprefix("inference-component/"))
        number, found = 2, base
        while found in ids.values():
            number, found = number + 1, f"{base}{number}"
        ids[call.key] = found
    return ids


def _words(text: str) -> str:
    """model-package-group as ModelPackageGroup: an id takes letters and digits alone."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", text))


def _resource(call: Call, calls: list[Call], ids: Mapping[str, str]) -> Resource:
    own = UNNAMED.get(call.operation, "")
    told = {name: value for name, value in call.parameters.items() if name != own}
    properties = {name: _value(name, value, call, ids) for name, value in told.items()}
    resource: Resource = {"Type": TYPES[call.operation]}
    if call.operation == "CreateEndpoint" and any(_counts_instances(each) for each in calls):
        properties |= KEEPS_COUNTS
    elif call.operation == "RegisterScalableTarget":
        resource["DependsOn"] = ids[_scaled(call)]
    elif call.operation == "PutScalingPolicy":
        for name in ("ServiceNamespace", "ResourceId", "ScalableDimension"):
            del properties[name]
        properties["ScalingTargetId"] = {"Ref": ids[_target_of(call)]}
    elif call.operation == "CreateModelPackageGroup":
        resource |= KEPT
    elif call.operation == "CreateModelPackage":
        resource |= KEPT
        resource["DependsOn"] = ids[f"model-package-group/{call.parameters['ModelPackageGroupName']}"]
    return {**resource, "Properties": properties}


def _value(name: str, value: Any, call: Call, ids: Mapping[str, str]) -> Any:
    """As CloudFormation has it: names of other resources and answers of other calls as references."""
    if name == "Tags":
        return _tags(value)
    if isinstance(value, Mapping):
        return {inner: _value(inner, each, call, ids) for inner, each in value.items()}
    if isinstance(value, list):
        return [_value("", each, call, ids) for each in value]
    if isinstance(value, str) and (found := STAND_IN.fullmatch(value)):
        return {"Ref": ids[found[1]]}
    key = f"{REFERRED.get(name)}/{value}"
    return {"Fn::GetAtt": [ids[key], name]} if key in ids and key != call.key else value


def _tags(tags: Any) -> list[dict[str, str]]:
    """Application Auto Scaling takes a map where the others take a list; CloudFormation always a list."""
    told = dict(tags) if isinstance(tags, Mapping) else names.as_mapping(tags)
    return names.as_list({**told, names.MANAGED_BY[0]: MANAGED_BY})


def _schedule(target: Resource, call: Call) -> None:
    told = dict(call.parameters)
    for name in ("ServiceNamespace", "ResourceId", "ScalableDimension"):
        del told[name]
    target["Properties"].setdefault("ScheduledActions", []).append(told)


def _output(call: Call, ids: Mapping[str, str]) -> dict[str, Any]:
    """What has to be known outside: the endpoint; a model's name for a job; the version in the registry."""
    name, attribute = OUTPUTS.get(call.operation, ("", ""))
    if not name or (call.operation == "CreateModel" and any(key.startswith("endpoint/") for key in ids)):
        return {}
    return {name: {"Value": {"Fn::GetAtt": [ids[call.key], attribute]}}}


def _target_of(call: Call) -> str:
    return f"scalable-target/{call.parameters['ResourceId']}"


def _scaled(call: Call) -> str:
    """The key of what a target scales: endpoint/churn of endpoint/churn/variant/main."""
    return str(call.parameters["ResourceId"]).partition("/variant/")[0]


def _counts_instances(call: Call) -> bool:
    return call.operation == "RegisterScalableTarget" and call.parameters["ScalableDimension"] != COPIES
