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
from tests.deploy.double.shelf import CONFIG, MODEL, Record, images_of
from tests.deploy.double.wire import post

if TYPE_CHECKING:
    from tests.deploy.double.state import Double

MODELS = "/opt/ml/models"
LOADED = (200, 409)
"""Of /models: now, or before. https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html"""


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
    host = given.get("TargetContainerHostname", "")
    if routes := routes_of(double, given["EndpointName"], host):
        return Way(routes)
    if double.host is None:
        return Way([])
    model = model_of(double, call, endpoint)
    places = chosen(model, double.host(model), host)
    if (primary := images_of(model)[0]).get("Mode") != "MultiModel":
        return Way([place.url for place in places])
    if not (target := given.get("TargetModel")):
        raise Refusal("TargetModel header is required for a multi-model endpoint.")
    return Way([places[0].url], loaded(places[0], primary["ModelDataUrl"] + target, target))


def routes_of(double: Double, name: str, host: str = "") -> list[str]:
    """What a test has set: one container, those of a pipeline in order, or the one with a hostname."""
    route = double.routes.get(f"{name}/{host}" if host else name) or double.routes.get("*") or []
    return [route] if isinstance(route, str) else route


def model_of(double: Double, call: Call, endpoint: Record) -> Record:
    """Of the variant that the request names, else of the first."""
    config = double.shelf.get(call, CONFIG, endpoint["EndpointConfigName"])
    asked = call.parameters.get("TargetVariant")
    for variant in config["ProductionVariants"]:
        if asked in (None, variant["VariantName"]) and "ModelName" in variant:
            return double.shelf.get(call, MODEL, variant["ModelName"])
    raise Refusal(f"Variant {asked} of endpoint {endpoint['EndpointName']} not found.")


def chosen(model: Record, places: list[Place], host: str) -> list[Place]:
    """All of a pipeline, or the one that a request for several containers names."""
    if model.get("InferenceExecutionConfig", {}).get("Mode") != "Direct":
        return places
    if found := [place for place in places if place.hostname == host]:
        return found
    names = ", ".join(place.hostname for place in places)
    raise Refusal(f"TargetContainerHostname {host!r} is none of the endpoint's containers: {names}.")


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


def are_ready(double: Double, endpoint: Record, models: list[Record]) -> bool:
    """Whether all containers behind an endpoint answer /ping; without any there is nothing to ask."""
    urls = routes_of(double, endpoint["EndpointName"])
    if not urls and double.host:
        urls = [place.url for model in models for place in double.host(model)]
    return all(pings(url) for url in urls)


def pings(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=2).status_code == 200
    except requests.RequestException:
        return False
