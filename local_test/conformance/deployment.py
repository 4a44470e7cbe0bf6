"""The calls that will deploy an image: their bodies, read from files, and the limits of the service for each member.

Used by checks of the image, the artifact and the requests. Everything is looked up in the service model that botocore
brings along: no network, no account.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore
import botocore.session
from botocore.validate import ParamValidator

from local_test.conformance.assertion import Broken, Untestable

CALLS = (
    "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateTransformJob", "CreateInferenceComponent",
    "CreateTrainingJob",
)  # fmt: skip
NO_REQUESTS = f"needs the bodies of the calls that deploy it: --requests-dir DIR with {CALLS[0]}.json and so on"

Body = Mapping[str, Any]
Fault = tuple[str, str]
"""Path of a member, what is wrong with it."""


def bodies(folder: Path | None) -> dict[str, Body]:
    """Each call's body, by the call's name. Raises Untestable where there is none, Broken for what is no object."""
    if folder is None:
        raise Untestable(NO_REQUESTS)
    found = {call: _body(folder / f"{call}.json") for call in CALLS if (folder / f"{call}.json").is_file()}
    if not found:
        raise Untestable(f"{folder} holds none of {', '.join(f'{call}.json' for call in CALLS)}")
    return found


def bodies_or_none(folder: Path | None) -> dict[str, Body]:
    """Those that there are, for checks that need none."""
    try:
        return bodies(folder)
    except (Untestable, Broken):
        return {}


def _body(path: Path) -> Body:
    try:
        body = json.loads(path.read_bytes())
    except ValueError as error:
        raise Broken(f"{path.name} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Broken(f"{path.name} is not a JSON object")
    return body


def members(body: object, *path: str) -> list[Any]:
    """Every value at a path of member names; a list on the way stands for each of its items. Bears any shape."""
    if not path:
        return [body]
    if isinstance(body, list):
        return [value for item in body for value in members(item, *path)]
    if isinstance(body, dict) and path[0] in body:
        return members(body[path[0]], *path[1:])
    return []


def containers(create_model: Body) -> list[Body]:
    """The containers of a model: PrimaryContainer, or Containers."""
    primary = [each for each in members(create_model, "PrimaryContainer") if isinstance(each, dict)]
    return primary + _objects(create_model, "Containers")


def variants(create_endpoint_config: Body) -> list[Body]:
    """The variants that serve, and the shadows."""
    return [
        each for name in ("ProductionVariants", "ShadowProductionVariants")
        for each in _objects(create_endpoint_config, name)
    ]  # fmt: skip


def _objects(body: Body, name: str) -> list[Body]:
    """The objects in a list, whatever else it holds."""
    lists = [value for value in members(body, name) if isinstance(value, list)]
    return [each for values in lists for each in values if isinstance(each, dict)]


def environment(folder: Path | None) -> dict[str, str]:
    """What CreateModel.json adds to the image's environment, if it is there."""
    given = [each.get("Environment") for each in containers(bodies_or_none(folder).get("CreateModel", {}))]
    return {str(name): str(value) for each in given if isinstance(each, dict) for name, value in each.items()}


# the service model


@functools.cache
def _service() -> Any:
    return botocore.session.Session().get_service_model("sagemaker")


def shape(call: str) -> Any:
    return _service().operation_model(call).input_shape


def wrong_members(call: str, body: Body) -> str:
    """Members that are missing, unknown or of a wrong type, as botocore words it before it sends anything."""
    return " ".join(str(ParamValidator().validate(body, shape(call)).generate_report()).split())


def beyond_limits(value: object, of: Any, path: str = "") -> Iterator[Fault]:
    """What the service refuses though botocore would send it: lengths, sizes, ranges, patterns and enumerations."""
    metadata = of.metadata
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, str):
        yield from ((path, text) for text in _string_faults(value, metadata))
    elif isinstance(value, int | float):
        yield from ((path, text) for text in _range_faults(value, metadata, ""))
    elif isinstance(value, list) and of.type_name == "list":
        yield from ((path, text) for text in _range_faults(len(value), metadata, " items"))
        for index, item in enumerate(value):
            yield from beyond_limits(item, of.member, f"{path}[{index}]")
    elif isinstance(value, dict) and of.type_name == "map":
        yield from ((path, text) for text in _range_faults(len(value), metadata, " entries"))
        for key, item in value.items():
            yield from beyond_limits(key, of.key, f"{path}.{key[:40]}")
            yield from beyond_limits(item, of.value, f"{path}.{key[:40]}")
    elif isinstance(value, dict) and of.type_name == "structure":
        for name in value.keys() & of.members.keys():
            yield from beyond_limits(value[name], of.members[name], f"{path}.{name}".lstrip("."))


def _range_faults(number: float, metadata: Mapping[str, Any], unit: str) -> Iterator[str]:
    least, most = metadata.get("min", number), metadata.get("max", number)
    if not least <= number <= most:
        yield f"is {number}{unit}, not {least} to {most}"


def _string_faults(value: str, metadata: Mapping[str, Any]) -> Iterator[str]:
    too_long = list(_range_faults(len(value), metadata, " characters"))
    yield from too_long
    if "enum" in metadata and value not in metadata["enum"]:
        yield f"is {value!r}, none of the {len(metadata['enum'])} values that botocore {botocore.__version__} knows"
    pattern = _pattern(metadata.get("pattern", ""))
    if pattern and not too_long and not pattern.fullmatch(value):
        yield f"is {value[:80]!r}, which does not fit {pattern.pattern}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """None for what Python has no word for, such as Java's classes."""
    try:
        return re.compile(text) if text else None
    except re.error:
        return None
