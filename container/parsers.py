"""The words and numbers a setting may be: text to value, or ValueError with a sentence. Used by settings alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """A parser of whole numbers from minimum to maximum."""

    def parse(text: str) -> int:
        if re.fullmatch(r"-?[0-9]{1,18}", text) and minimum <= int(text) <= maximum:
            return int(text)
        raise ValueError(f"must be a whole number from {minimum} to {maximum}")

    return parse


def seconds(minimum: float, maximum: float) -> Callable[[str], float]:
    """A parser of numbers of seconds, fractions allowed."""

    def parse(text: str) -> float:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) and minimum <= float(text) <= maximum:
            return float(text)
        raise ValueError(f"must be a number of seconds from {minimum:g} to {maximum:g}")

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    """A parser of one of a few words, case ignored."""

    def parse(text: str) -> str:
        if text.lower() in allowed:
            return text.lower()
        raise ValueError(f"must be one of: {', '.join(allowed)}")

    return parse


def media_type(text: str) -> str:
    """A parser of type/subtype, parameters allowed."""
    if re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?", text):
        return text
    raise ValueError("must be a media type such as application/json")


def level(text: str) -> int:
    """A parser of a log level: a name, or the numbers that SageMaker's SDK sends (20 is info)."""
    number = int(text) if re.fullmatch(r"[0-9]{1,2}", text) else logging.getLevelNamesMapping().get(text.upper())
    if number is None:
        raise ValueError("must be a number such as 20, or one of: debug, info, warning, error, critical")
    return number


def names(text: str) -> tuple[str, ...]:
    """A parser of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def path(text: str) -> Path:
    """A parser of an absolute or relative path, made absolute."""
    return Path(text).absolute()


def script(text: str) -> str:
    """A parser of a script's name, with or without its .py: the training toolkit takes both."""
    return text if text.endswith(".py") else f"{text}.py"


def code_folder(text: str) -> Path:
    """A parser of a path or file:// address; Path() for s3://, whose content the SDK has packed into the artifact."""
    return Path() if text.startswith("s3://") else path(text.removeprefix("file://"))


def true_or_false(text: str) -> bool:
    """A parser of true or false, case ignored: SageMaker writes both `true` and `True`."""
    return choice("true", "false")(text) == "true"
