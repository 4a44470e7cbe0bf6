"""Holds a request to every limit in botocore's service models; botocore itself checks no maximum, pattern or enum.

On purpose not the product's own check (deploy/shapes.py): the double has to refuse what that one overlooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

JAVA_CLASSES = {r"\p{Print}": r"\x20-\x7e", r"\p{ASCII}": r"\x00-\x7f"}
NUMBERS = {"integer", "long", "float", "double"}


def problems(operation: OperationModel, parameters: dict[str, Any]) -> list[str]:
    """`CreateModel.ModelName: 'a_b' does not match ...` of each value that is wrong, and what is unknown or missing."""
    shape = operation.input_shape
    if shape is None:
        return []
    report = ParamValidator().validate(parameters, shape)
    return [report.generate_report()] if report.has_errors() else list(within(shape, parameters, operation.name))


def within(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """The problems of a value and all that it holds."""
    yield from own(shape, value, path)
    if shape.type_name == "structure":
        for name, each in value.items():
            yield from within(shape.members[name], each, f"{path}.{name}")
    elif shape.type_name == "list":
        for index, each in enumerate(value):
            yield from within(shape.member, each, f"{path}[{index}]")
    elif shape.type_name == "map":
        for key, each in value.items():
            yield from within(shape.key, key, f"{path}<key {key!r}>")
            yield from within(shape.value, each, f"{path}[{key!r}]")


def own(shape: Shape, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    size = value if shape.type_name in NUMBERS else len(value) if hasattr(value, "__len__") else None
    if size is not None and size < limits.get("min", size):
        yield f"{path}: {size} is less than {limits['min']}"
    if size is not None and size > limits.get("max", size):
        yield f"{path}: {size} is more than {limits['max']}"
    if shape.type_name == "string":
        yield from of_text(shape, value, path)


def of_text(shape: Shape, value: str, path: str) -> Iterator[str]:
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        yield f"{path}: {value!r} is none of the {len(enum)} values of {shape.name}"
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := readable(pattern)) and not compiled.fullmatch(value):
        yield f"{path}: {value!r} does not match {pattern}"


@cache
def readable(pattern: str) -> re.Pattern[str] | None:
    """The model's patterns are Java's, unanchored, and meant for the whole string. None for what Python cannot say."""
    text = pattern.replace(r"\z", r"\Z")
    for java, characters in JAVA_CLASSES.items():
        text = text.replace(f"[{java}]", f"[{characters}]").replace(java, f"[{characters}]")
    try:
        return re.compile(text)
    except re.error:
        return None
