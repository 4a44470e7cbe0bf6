"""/adapters: loaded beside the model, chosen by X-Amzn-SageMaker-Adapter-Identifier."""

import json
from pathlib import Path

import invocations
from faults import faulty
from web import Refused, Response, route

HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
ADAPTERS = {}
"""Their folders by name."""


@route("POST", "/adapters")
def load(request):
    try:
        order = json.loads(request.body)
        name, source = str(order["name"]), Path(order["src"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, f"malformed: {error}") from error
    if name in ADAPTERS and not faulty("LOR-01"):
        raise Refused(409, f"{name} is loaded")
    if not source.is_dir():
        raise Refused(400, f"there is no folder {source}")
    ADAPTERS[name] = str(source)
    return answer({"message": f"{name} is loaded"})


@route("GET", "/adapters")
def listed(request):
    return answer({"adapters": [{"name": name, "src": source} for name, source in ADAPTERS.items()]})


@route("DELETE", "/adapters/(?P<name>[^/]+)")
def unload(request):
    name = request.match["name"]
    if ADAPTERS.pop(name, None) is None:
        raise Refused(404, f"{name} is not loaded")
    return answer({"message": f"{name} is unloaded"})


def look(request):
    name = request.header(HEADER)
    if name and name not in ADAPTERS and not faulty("LOR-02"):
        raise Refused(404, f"{name} is not loaded")


def answer(value):
    return Response(200, json.dumps(value).encode(), "application/json")


invocations.FIRST.append(look)
