"""What is wanted beside what is there, field by field. Pure; called by plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NOT_COMPARED = {"Tags", "ClientToken"}
FILLED_IN = {("Mode", "SingleModel"), ("ModelCacheSetting", "Enabled"), ("InferenceExecutionConfig", "Serial")}
"""What AWS describes without having been told."""
GONE = "not set"
NAMES = ("VariantName", "ContainerHostname", "ChannelName", "AlarmName", "Name", "Key")
"""Fields that tell members of a list apart."""


@dataclass(frozen=True)
class Field:
    path: str
    now: Any
    wanted: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.now} -> {self.wanted}"


def missing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[Field, ...]:
    """What is wanted and is not so; what AWS has beyond it does not count, since it fills in defaults."""
    return tuple(_missing(wanted, there, ""))


def different(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[Field, ...]:
    """Both ways, for people: what would no longer be so is a difference too."""
    return (*_missing(wanted, there, ""), *_gone(wanted, there, ""))


def _missing(wanted: Any, there: Any, path: str) -> Iterator[Field]:
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for name in (name for name in wanted if name not in NOT_COMPARED):
            yield from _missing(wanted[name], there.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for index, (one, other) in enumerate(zip(_ordered(wanted), _ordered(there), strict=True)):
            yield from _missing(one, other, f"{path}[{index}]")
    elif isinstance(wanted, list) and isinstance(there, list):
        yield from _members(wanted, there, path)
    elif wanted != there:
        yield Field(path, GONE if there is None else there, wanted)


def _members(wanted: list[Any], there: list[Any], path: str) -> Iterator[Field]:
    """What was added and what was removed; members that have names are compared with their namesakes."""
    now, coming = {_name(each, there): each for each in there}, {_name(each, wanted): each for each in wanted}
    fields: list[Field] = []
    for name, each in coming.items():
        where = f"{path}[{name}]"
        fields += _missing(each, now[name], where) if name in now else _leaves(each, where, gone=False)
    for name in (name for name in now if name not in coming):
        fields += _leaves(now[name], f"{path}[{name}]", gone=True)
    yield from fields or [Field(path, there, wanted)]  # the same member twice


def _name(member: Any, among: list[Any]) -> str:
    """Of a structure by what AWS calls its name, else by its place; any other value names itself."""
    if not isinstance(member, Mapping):
        return str(member)
    return next((str(member[name]) for name in NAMES if name in member), str(among.index(member)))


def _leaves(value: Any, path: str, *, gone: bool) -> Iterator[Field]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}", gone=gone)
    else:
        yield Field(path, value, GONE) if gone else Field(path, GONE, value)


def _ordered(items: list[Any]) -> list[Any]:
    """Subnets, media types: AWS may tell words in another order than it was told."""
    return sorted(items) if all(isinstance(each, str) for each in items) else items


def _gone(wanted: Any, there: Any, path: str) -> Iterator[Field]:
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for name, value in there.items():
            where = f"{path}.{name}".lstrip(".")
            if name in wanted:
                yield from _gone(wanted[name], value, where)
            elif value and not _filled_in(name, value, there):
                yield Field(where, value, GONE)
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
            yield from _gone(one, other, f"{path}[{index}]")


def _filled_in(name: str, value: Any, beside: Mapping[str, Any]) -> bool:
    if name == "ModelDataSource" and "ModelDataUrl" in beside:  # described twice
        return True
    return not isinstance(value, Mapping | list) and (name, value) in FILLED_IN
