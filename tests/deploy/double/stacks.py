"""CloudFormation: moto reads a template and resolves its references; each resource is made by the double's own calls.

As AWS does it: a stack calls the services that people call, so its requests are written down and held to all limits.
moto's own resources know neither our endpoints nor scaling. Updates are left out: moto replaces nothing that is only
referred to. The first call of CloudFormation costs two seconds: moto then imports most of itself.
"""

from __future__ import annotations

import functools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto.core.common_models import CloudFormationModel

from tests.deploy.double.call import Call
from tests.deploy.double.shelf import Handler
from tests.deploy.double.state import Double

SCALING = ("ResourceId", "ScalableDimension", "ServiceNamespace")
LIMIT_S = 5.0

speaking: list[Double] = []
"""The double whose stacks these are: moto makes resources by class, which has no room for it."""


@dataclass(frozen=True)
class Way:
    """How a type of resource is made and removed, and what its Ref is."""

    service: str
    create: str
    delete: str
    name: str
    """The field of its name, made up where the template has none."""
    ref: str
    """The member of the answer that Ref gives; the name if it answers nothing."""
    status: str = ""
    """The member of its description that tells whether it is there yet; it is there at once without one."""


WAYS = {
    "AWS::SageMaker::Model": Way("sagemaker", "create_model", "delete_model", "ModelName", "ModelArn"),
    "AWS::SageMaker::EndpointConfig": Way(
        "sagemaker", "create_endpoint_config", "delete_endpoint_config", "EndpointConfigName", "EndpointConfigArn"
    ),
    "AWS::SageMaker::Endpoint": Way(
        "sagemaker", "create_endpoint", "delete_endpoint", "EndpointName", "EndpointArn", "EndpointStatus"
    ),
    "AWS::SageMaker::InferenceComponent": Way(
        "sagemaker",
        "create_inference_component",
        "delete_inference_component",
        "InferenceComponentName",
        "InferenceComponentArn",
        "InferenceComponentStatus",
    ),
    "AWS::SageMaker::ModelPackageGroup": Way(
        "sagemaker",
        "create_model_package_group",
        "delete_model_package_group",
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
    ),
    "AWS::SageMaker::ModelPackage": Way(
        "sagemaker", "create_model_package", "delete_model_package", "", "ModelPackageArn"
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": Way(
        "application-autoscaling", "register_scalable_target", "deregister_scalable_target", "", ""
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Way(
        "application-autoscaling", "put_scaling_policy", "delete_scaling_policy", "PolicyName", "PolicyARN"
    ),
    "AWS::CloudWatch::Alarm": Way("cloudwatch", "put_metric_alarm", "delete_alarms", "AlarmName", ""),
}
FOR_UPDATES = {"RetainAllVariantProperties", "ExcludeRetainedVariantProperties"}


def begin(double: Double, call: Call) -> None:
    """Before moto makes or removes a stack."""
    classes()
    speaking[:] = [double]


STACKS: dict[str, Handler] = dict.fromkeys(("CreateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"), begin)


@functools.cache
def classes() -> list[type[Made]]:
    """moto finds what has its model as a base, and takes the later of two classes of a type: ours, made after its."""
    import moto.cloudformation.parsing  # noqa: F401

    named = ((each, staticmethod(lambda each=each: each)) for each in WAYS)
    return [
        type("Made", (Made, CloudFormationModel), {"type": each, "cloudformation_type": said}) for each, said in named
    ]


class Made:
    """A resource of a stack. One class a type, as moto looks them up."""

    type = ""

    def __init__(self, properties: dict[str, Any], answer: dict[str, Any], region: str) -> None:
        self.properties, self.answer, self.region = properties, answer, region

    @property
    def way(self) -> Way:
        return WAYS[self.type]

    @property
    def physical_resource_id(self) -> str:
        if self.type.endswith("ScalableTarget"):
            return "|".join(self.properties[name] for name in SCALING)
        return str(self.answer.get(self.way.ref) or self.properties[self.way.name])

    def get_cfn_attribute(self, name: str) -> str:
        return str(self.properties.get(name) or self.answer[name])

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in (WAYS[cls.type].name, WAYS[cls.type].ref)

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, _account: str, region_name: str, **_: Any
    ) -> Made:
        way, properties = WAYS[cls.type], dict(cloudformation_json["Properties"])
        if way.name:
            properties.setdefault(way.name, resource_name)
        made = cls(properties, {}, region_name)
        made.create()
        return made

    def create(self) -> None:
        told = {name: value for name, value in self.properties.items() if name not in FOR_UPDATES}
        schedules = told.pop("ScheduledActions", [])
        if target := told.pop("ScalingTargetId", ""):
            told |= dict(zip(SCALING, target.split("|"), strict=True))
            self.properties = told
        if self.type.endswith("ScalableTarget"):
            told["Tags"] = {each["Key"]: each["Value"] for each in told.get("Tags", [])}
        self.answer = self.ask(self.way.create, **told)
        for each in schedules:
            self.ask("put_scheduled_action", **{name: told[name] for name in SCALING}, **each)
        if self.way.status:
            self.wait()

    def wait(self) -> None:
        """A stack is complete when its endpoint and components are in service, and fails with them."""
        end, describe = time.monotonic() + LIMIT_S, self.way.create.replace("create", "describe")
        while (status := self.ask(describe, **{self.way.name: self.name})[self.way.status]) == "Creating":
            assert time.monotonic() < end
            time.sleep(0.01)
        assert status == "InService", status

    @property
    def name(self) -> str:
        return str(self.properties[self.way.name])

    def delete(self, *_: str) -> None:
        if self.way.service == "application-autoscaling":
            keys = {name: self.properties[name] for name in SCALING}
            with suppress(ClientError):  # moto goes in no order, and a target takes its policies along
                self.ask(self.way.delete, **keys, **({self.way.name: self.name} if self.way.name else {}))
        elif self.way.service == "cloudwatch":
            self.ask(self.way.delete, AlarmNames=[self.name])
        else:
            self.ask(self.way.delete, **{self.way.name: self.name})

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(client(speaking[0].url, self.way.service, self.region), operation)(
            **parameters
        )
        return answer


@functools.cache
def client(url: str, service: str, region: str) -> Any:
    return boto3.Session("test", "test", region_name=region).client(service, endpoint_url=url)
