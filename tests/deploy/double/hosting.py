"""Which containers a request goes to, and by which path: one, one after the other, one by name, one of many models.

Routes that a test has set win. Else double.host runs a model's containers, and is asked where they answer.
Called by endpoints, runtime and jobs.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from tests.deploy.double.call import Call, Refusal
from tests.deploy.double.objects import read
from tests.deploy.double.shelf import COMPONENT, CONFIG, MODEL, Record, images_of
from tests.deploy.double.wire import post

if TYPE_CHECKING:
    from tests.deploy.double.state import Double

MODELS = "/opt/ml/models"
LOADED = (200, 409)
"""Of /models: now, or before. https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html"""

NO_COMPONENT = (
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
    "Please include Inference Component Name header or consider using SageMaker models."
)
"""AWS's words: https://github.com/langchain-ai/langchain/issues/14344"""
NO_CAPACITY = "Inference Component has no capacity to process this request."


@dataclass(frozen=True)
class Place:
    """Where a container answers."""

    url: str
    hostname: str = ""
    models: Path | None = None
    """What a container of many models sees as /opt/ml/models."""


Host = Callable[[Record], list[Place]]
"""A model's record -> its containers in their order, begun by the first call for it."""


@dataclass(frozen=True)
class Way:
    """How a request goes: through all of these, by one path."""

    urls: list[str]
    path: str = "/invocations"


def way(double: Double, call: Call, endpoint: Record) -> Way:
    """Raises AWS's refusal where the request has not what the endpoint's kind needs."""
    given = call.parameters
    host, target = given.get("TargetContainerHostname", ""), given.get("TargetModel", "")
    model = model_of(double, call, endpoint)
    refuse(model, given["EndpointName"], host, target)
    if routes := routes_of(double, given["EndpointName"], host):
        return Way(routes)
    if double.host is None:
        return Way([])
    places = [place for place in double.host(model) if host in ("", place.hostname)]
    if not target:
        return Way([place.url for place in places])
    return Way([places[0].url], loaded(places[0], images_of(model)[0]["ModelDataUrl"] + target, target))


def invalid(message: str) -> Refusal:
    """As the runtime API has it: SageMaker's own calls say ValidationException."""
    return Refusal(message, "ValidationError")


def refuse(model: Record, endpoint: str, host: str, target: str) -> None:
    """Raises where a request names a container or a model and has none to name, or names none and has to.

    https://docs.aws.amazon.com/sagemaker/latest/dg/multi-container-direct.html,
    https://github.com/aws/amazon-sagemaker-examples/issues/1026
    """
    hosts = [each.get("ContainerHostname", "") for each in images_of(model)]
    if (model.get("InferenceExecutionConfig", {}).get("Mode") == "Direct") != bool(host) or host not in ("", *hosts):
        raise invalid(f"TargetContainerHostname {host!r} is no container of endpoint {endpoint} to invoke directly.")
    if images_of(model)[0].get("Mode") == "MultiModel":
        if not target:
            raise invalid("Request 186633a1 is missing a target model header.")
    elif target:
        raise invalid(f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model header.")


def routes_of(double: Double, name: str, host: str = "") -> list[str]:
    """What a test has set: one container, those of a pipeline in order, or the one with a hostname."""
    route = double.routes.get(f"{name}/{host}" if host else name) or double.routes.get("*") or []
    return [route] if isinstance(route, str) else route


def model_of(double: Double, call: Call, endpoint: Record) -> Record:
    """Of the component or the variant that the request names, else of the first variant."""
    config = double.shelf.get(call, CONFIG, endpoint["EndpointConfigName"])
    asked, component = call.parameters.get("TargetVariant"), call.parameters.get("InferenceComponentName")
    found = [each for each in config["ProductionVariants"] if asked in (None, each["VariantName"])]
    if not found:
        raise invalid(f"Variant {asked} of endpoint {endpoint['EndpointName']} not found.")
    if "ModelName" in found[0]:
        return double.shelf.get(call, MODEL, found[0]["ModelName"])
    if component is None:
        raise invalid(NO_COMPONENT)
    return model_of_component(double, call, endpoint["EndpointName"], component)


def model_of_component(double: Double, call: Call, endpoint: str, name: str) -> Record:
    component = double.shelf.records.get((call.region, COMPONENT.noun, name), {})
    if component.get("EndpointName") != endpoint:
        raise invalid(f"Inference component {name} of endpoint {endpoint} not found.")
    if not component["RuntimeConfig"]["CurrentCopyCount"]:
        raise invalid(NO_CAPACITY)
    return double.shelf.get(call, MODEL, component["Specification"]["ModelName"])


def loaded(place: Place, archive: str, target: str) -> str:
    """The path by which one of many models answers, after it is there. Unpacked once, as the platform keeps it."""
    assert place.models is not None
    name = hashlib.sha256(archive.encode()).hexdigest()
    folder = place.models / name / "model"
    if not folder.exists():
        unpack(read(archive), folder)
    order = {"model_name": name, "url": f"{MODELS}/{name}/model"}
    reply = post(place.url, "/models", json.dumps(order).encode(), {"Content-Type": "application/json"})
    if reply.status not in LOADED:
        raise Refusal(f"Failed to load {target}: {reply.body.decode()}", "ModelError", 424)
    return f"/models/{name}/invoke"


def unpack(archive: bytes, folder: Path) -> None:
    """As the platform lays out model.tar.gz: readable for any uid."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder)  # noqa: S202 - a test's own archive; Python 3.11.2 knows no filter


def are_ready(double: Double, endpoint: str, models: list[Record]) -> bool:
    """Whether all containers of these models of an endpoint answer /ping; without any there is nothing to ask."""
    urls = routes_of(double, endpoint)
    if not urls and double.host:
        urls = [place.url for model in models for place in double.host(model)]
    return all(pings(url) for url in urls)


def pings(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=2).status_code == 200
    except requests.RequestException:
        return False
