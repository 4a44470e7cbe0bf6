"""What moto lacks in other services: the policy simulator, prices, quotas, tags by ARN, images that were pushed."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import moto.applicationautoscaling.models as scaling_models
import moto.applicationautoscaling.responses as scaling_responses
import requests
from moto.core.resource_tagging import TaggedResource
from moto.core.utils import get_service_model
from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import Repository, ecr_backends
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends

from tests.deploy.double.call import ACCOUNT, Call
from tests.deploy.double.shelf import Handler, Record, arn_of
from tests.deploy.double.state import Double

PUSHED = "/double/registry"
"""Where docker-registry is to send its notifications."""

REGISTRY_PASSWORD = f"{ACCOUNT}-auth-token"
"""What moto's GetAuthorizationToken gives to the user AWS."""


def simulate_policy(double: Double, call: Call) -> Record:
    actions = call.parameters["ActionNames"]
    told = {action: "implicitDeny" if action in double.denied else "allowed" for action in actions}
    results = [{"EvalActionName": action, "EvalDecision": decision} for action, decision in told.items()]
    return {"IsTruncated": False, "EvaluationResults": results}


def get_products(double: Double, call: Call) -> Record:
    """The products that have every attribute of the filters."""
    wanted = {each["Field"]: each["Value"] for each in call.parameters.get("Filters", [])}
    fitting = [each for each in double.prices if wanted.items() <= each["product"]["attributes"].items()]
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(each) for each in fitting]}


def savings_rates(double: Double, call: Call) -> Record:
    """The rates of these usage types, whatever the plan."""
    wanted = call.parameters.get("usageTypes", [])
    return {"searchResults": [each for each in double.savings if each["usageType"] in wanted]}


def list_quotas(double: Double, call: Call) -> Record:
    quotas = [{"QuotaName": name, "Value": value} for name, value in double.quotas.items()]
    return {"Quotas": [{"ServiceCode": "sagemaker", **each} for each in quotas]}


def no_activities(double: Double, call: Call) -> Record:
    return {"ScalingActivities": []}


def get_resources(double: Double, call: Call) -> None:
    """moto asks only those services of a region that were spoken to; SageMaker then answers with tagged()."""
    sagemaker_backends[ACCOUNT][call.region]


def deregister(double: Double, call: Call) -> None:
    """A target's policies and schedules go with it; moto keeps them, and then removes the target itself."""
    backend = scaling_models.applicationautoscaling_backends[ACCOUNT][call.region]
    resource = call.parameters["ResourceId"]
    tables: tuple[Any, ...] = (backend.policies, backend.scheduled_actions)
    for table in tables:
        entries = table.items() if isinstance(table, dict) else enumerate(table)
        for key, _ in [each for each in entries if each[1].resource_id == resource][::-1]:
            del table[key]


IAM: dict[str, Handler] = {"SimulatePrincipalPolicy": simulate_policy}
PRICING: dict[str, Handler] = {"GetProducts": get_products}
SAVINGS: dict[str, Handler] = {"DescribeSavingsPlansOfferingRates": savings_rates}
QUOTAS: dict[str, Handler] = {"ListServiceQuotas": list_quotas}
SCALING: dict[str, Handler] = {
    "DescribeScalingActivities": no_activities,
    "DeregisterScalableTarget": deregister,
}
TAGGING: dict[str, Handler] = {"GetResources": get_resources}


# what has no call of its own: moto's classes, changed once a process


def install(double: Double) -> None:
    dimensions = get_service_model("application-autoscaling").shape_for("ScalableDimension").enum
    known = enum.Enum("Dimensions", {each: each for each in dimensions})  # type: ignore[misc]
    for module in (scaling_models, scaling_responses):
        setattr(module, "ScalableDimensionValueSet", known)
    setattr(SageMakerModelBackend, "iter_tagged_resources", lambda backend: tagged(double, backend.region_name))
    former = getattr(Repository, "former_init", Repository.__init__)

    def with_registry(self: Repository, *arguments: Any, **named: Any) -> None:
        former(self, *arguments, **named)
        if double.registry:
            self.uri = f"{double.registry}/{self.name}"

    setattr(Repository, "former_init", former)
    setattr(Repository, "__init__", with_registry)


def tagged(double: Double, region: str) -> Iterator[TaggedResource]:
    """For the Resource Groups Tagging API."""
    for where, kind, record in double.shelf.tagged():
        if where == region:
            tags = {each["Key"]: each["Value"] for each in record.get("Tags", [])}
            yield TaggedResource(arn_of(kind, record), tags, f"sagemaker:{kind.in_arn}")


def with_hooks(double: Double, gate: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The gate, and beside it the address that a registry tells its pushes."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PUSHED:
            return gate(environ, start)
        for event in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["events"]:
            if event["action"] == "push" and event["target"].get("tag"):
                pushed(event["target"])
        start("200 .", [("Content-Length", "0")])
        return []

    return application


def pushed(target: dict[str, Any]) -> None:
    """ECR knows of an image that docker pushed to the registry."""
    login = ("AWS", REGISTRY_PASSWORD)
    manifest = requests.get(target["url"], headers={"Accept": target["mediaType"]}, auth=login, timeout=10).text
    for backend in ecr_backends[ACCOUNT].values():
        if target["repository"] in backend.repositories:
            with suppress(ImageAlreadyExistsException):  # the same image once more
                backend.put_image(target["repository"], manifest, target["tag"], target["mediaType"], target["digest"])
