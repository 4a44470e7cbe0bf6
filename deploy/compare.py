"""What is wanted beside what is there, field by field. Pure; called by plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NOT_COMPARED = {"Tags", "ClientToken"}
FILLED_IN = {("Mode", "SingleModel"), ("ModelCacheSetting", "Enabled"), ("InferenceExecutionConfig", "Serial")}
"""What AWS describes without having been told."""
GONE = "not set"


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
    elif wanted != there:
        yield Field(path, GONE if there is None else there, wanted)


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
