"""Each request beside botocore's own service model: types, names, lengths, ranges, patterns, words. Called by checks.

botocore itself checks types, required members and minima only. Its lists of words grow old, so a word that is not on
one is a warning; the rest is refused.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from deploy.call import Call
from deploy.problem import Problem

if TYPE_CHECKING:
    from botocore.model import ServiceModel

JAVA_CLASSES = {
    "Print": r"\x20-\x7e", "ASCII": r"\x00-\x7f",
    "L": r"\w", "Z": r"\s", "N": r"\d", "M": r"\w", "S": r"\W", "P": r"\W",
}  # fmt: skip
"""Some patterns are Java's; classes of Python that hold at least what theirs do."""
SHOWN = 5
"""Words of a long list that are named in a message."""

Fault = tuple[str, str, bool]
"""Path of a member, what is wrong with it, whether that is only a warning."""


def problems(calls: Iterable[Call]) -> Iterator[Problem]:
    for call in calls:
        shape = service(call.service).operation_model(call.operation).input_shape
        for path, text, warning in _faults(shape, call.parameters, ""):
            yield Problem(call.key, f"{path.lstrip('.')} {text}", warning)


@functools.cache
def service(name: str) -> ServiceModel:
    """What botocore knows of a service; needs no network and no account."""
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


def _faults(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if not _is_of(shape.type_name, value):
        yield path, f"has to be a {shape.type_name}, not {value!r}", False
    elif shape.type_name == "structure":
        yield from _of_structure(shape, value, path)
    else:
        yield from _of_members(shape, value, path)
        yield from _of_size(shape, value, path)
        if shape.type_name == "string":
            yield from _of_text(shape, value, path)


KINDS: dict[str, type | tuple[type, ...]] = {
    "structure": Mapping,
    "map": Mapping,
    "list": (list, tuple),
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS.get(kind, object))


def _of_structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}", "is missing", False
    if shape.metadata.get("union") and len(value) != 1:
        yield path, f"takes exactly one of {', '.join(shape.members)}", False
    for name, each in value.items():
        if name in shape.members:
            yield from _faults(shape.members[name], each, f"{path}.{name}")
        else:  # a newer service may know it, this botocore would not send it
            yield f"{path}.{name}", "is not known to the installed botocore; update it, or leave this out", False


def _of_members(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if shape.type_name == "list":
        for index, each in enumerate(value):
            yield from _faults(shape.member, each, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, each in value.items():
            yield from _faults(shape.key, name, f"{path}[{name!r}] as a name")
            yield from _faults(shape.value, each, f"{path}[{name!r}]")


def _of_size(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and not hasattr(value, "__len__"):
        return
    size, said = (value, f"is {value}") if number else (len(value), f"has {len(value)} of what may be")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield path, f"{said}, at least {least}", False
    if most is not None and size > most:
        yield path, f"{said}, at most {most}", False


def _of_text(shape: Any, value: str, path: str) -> Iterator[Fault]:
    words = getattr(shape, "enum", None)
    if words and value not in words:
        yield (
            path,
            f"{value!r} is none of the {len(words)} that the installed botocore knows{_some(words, value)}",
            True,
        )
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern and not pattern.fullmatch(value):
        yield path, f"{value!r} does not match {shape.metadata['pattern']}", False


def _some(words: list[str], value: str) -> str:
    if len(words) <= SHOWN:
        return f": {', '.join(words)}"
    near = difflib.get_close_matches(value, words, 1)
    return f"; did you mean {near[0]}?" if near else ""


@functools.cache
def _pattern(text: str | None) -> re.Pattern[str] | None:
    """The service's pattern for Python; None where it cannot be said."""
    if not text:
        return None
    python = re.sub(r"\\p\{(\w+)\}", _class, text)
    try:
        return re.compile(python.replace(r"\z", r"\Z"))
    except re.error:
        return None


def _class(found: re.Match[str]) -> str:
    before, members = found.string[: found.start()], JAVA_CLASSES.get(found[1], found[0])
    return members if before.rfind("[") > before.rfind("]") else f"[{members}]"
