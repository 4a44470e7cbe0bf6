"""What users' functions take, by their signatures: how many arguments, a context or none, the body as a file or whole.

Used by handlers, at start.
"""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import IO, Any, BinaryIO

from container.errors import StartupError

Function = Callable[..., Any]

# Names and order of arguments: SageMaker inference toolkit, README "Implement the handler functions".
ARGUMENTS = {
    "pre_model_fn": ("model_dir",),
    "model_fn": ("model_dir",),
    "model_warmup_fn": ("model_dir", "model"),
    "input_fn": ("body", "content_type"),
    "predict_fn": ("data", "model"),
    "output_fn": ("prediction", "accept"),
    "transform_fn": ("model", "body", "content_type", "accept"),
    "chat_fn": ("request", "model"),
    "stream_fn": ("messages", "model"),
    "adapter_fn": ("adapter_dir", "model"),
}

OF_BODY = ("input_fn", "transform_fn")
FILES = (BinaryIO, IO[bytes], io.BufferedIOBase)
FILE_AS_TEXT = re.compile(r"(\w+\.)?(BinaryIO|IO\[bytes\]|BufferedIOBase)")
"""Annotations of `body` that ask for a file; all others, and none, for the body whole."""


def takes_file(functions: Mapping[str, Any]) -> bool:
    """Whether the function that gets the body asks for a file: `def input_fn(body: BinaryIO, content_type)`."""
    return any(_asks_for_file(functions[name], ARGUMENTS[name].index("body")) for name in functions if name in OF_BODY)


def taking_context(name: str, function: Any, file: str) -> Function:
    """The function as one that takes a context last, whether it wants it or not."""
    arguments = ARGUMENTS[name]
    if not callable(function):
        raise StartupError("handlers", f"{file}: {name} is of type {type(function).__name__}, not a function")
    if inspect.iscoroutinefunction(function):
        raise StartupError(
            "handlers", f"{file}: {name} is async; write def {name}, and SERVING_PREDICT_THREADS=8 if it waits",
            file=_defined_at(function),
        )  # fmt: skip
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin has none
        return _without_context(function)
    if _fits(signature, len(arguments) + 1) and _asks_for_context(signature, len(arguments)):
        return function  # type: ignore[no-any-return]
    if _fits(signature, len(arguments)):
        return _without_context(function)
    given, wanted = list(signature.parameters), ", ".join(arguments)
    raise StartupError(
        "handlers",
        f"{file}: {name} takes {len(given)} argument{'' if len(given) == 1 else 's'} ({', '.join(given)}); "
        f"write {name}({wanted}) or {name}({wanted}, context)",
        file=_defined_at(function),
    )


def _defined_at(function: Any) -> str:
    """FILE:LINE of a function or class; empty for what has no source."""
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return ""


def _without_context(function: Function) -> Function:
    @wraps(function, updated=())
    def call(*arguments: Any) -> Any:
        return function(*arguments[:-1])

    return call


def _fits(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _asks_for_file(function: Any, index: int) -> bool:
    """By the annotation of the parameter at index. A text is not evaluated: it may name what only mypy imports."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return False
    annotation = parameters[index].annotation if index < len(parameters) else None
    if isinstance(annotation, str):
        return FILE_AS_TEXT.fullmatch(annotation.strip("'\"")) is not None
    return annotation in FILES


def _asks_for_context(signature: inspect.Signature, index: int) -> bool:
    """Whether the positional parameter at index is meant for the context: an optional `threshold=0.5` is not."""
    positional = [p for p in signature.parameters.values() if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    parameter = positional[min(index, len(positional) - 1)]
    return parameter.default is parameter.empty or parameter.name == "context"
