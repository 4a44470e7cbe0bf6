"""The keys that differ from their defaults, those of other modes left out. Called by config and unread.

One deploy.toml may hold the sections of several modes, and `up serverless` reads it beside `up batch`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from deploy.sections import JOBS, MODES

OF_MODES: dict[str, tuple[str, ...]] = {
    "serverless": ("serverless",),
    "asynchronous": ("async",),
    "batch": ("batch",),
    "multi_model": ("multi-model",),
    "containers": ("multi-container", "pipeline"),
    "training": ("training",),
    "registry": ("register",),
    "recommend": ("recommend",),
    "artifact": tuple(each for each in MODES + JOBS if each != "training"),  # it makes one
}
"""Fields that belong to some modes; all others belong to each."""


@dataclasses.dataclass(frozen=True)
class Key:
    path: tuple[str | int, ...]
    """Fields, and places in lists."""
    name: str
    """As it is written: variants[0].artifact."""
    value: Any
    field: dataclasses.Field[Any]


def keys(config: Any) -> Iterator[Key]:
    for each in dataclasses.fields(config):
        if config.mode in OF_MODES.get(each.name, (config.mode,)):
            yield from _below(config, each, (), "")


def _of(section: Any, path: tuple[str | int, ...], name: str) -> Iterator[Key]:
    for each in dataclasses.fields(section):
        yield from _below(section, each, path, f"{name}.")


def _below(section: Any, field: dataclasses.Field[Any], path: tuple[str | int, ...], above: str) -> Iterator[Key]:
    value, here = getattr(section, field.name), (*path, field.name)
    name = above + (field.metadata["key"] if field.metadata.get("key") else field.name)
    if dataclasses.is_dataclass(value):
        yield from _of(value, here, name)
    elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        for index, each in enumerate(value):
            yield from _of(each, (*here, index), f"{name}[{index}]")
    elif value not in (field.default, {}):
        yield Key(here, name, value, field)


def replaced(part: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at the path."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return (*part[:first], replaced(part[first], rest, value), *part[first + 1 :])
    return dataclasses.replace(part, **{first: replaced(getattr(part, first), rest, value)})
