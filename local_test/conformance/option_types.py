"""What a single option's value may be. Each function takes the text and gives the value. Used by options."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from local_test.conformance.assertion import Claim

CLAIMS = tuple(claim.value for claim in Claim)
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+*-]+(\s*;.*)?", re.ASCII)  # RFC 6838
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UsageError(Exception):
    """The command line cannot be carried out; the text says what to change."""


def wrong(text: str) -> argparse.ArgumentTypeError:
    """The sentence after the option's name."""
    return argparse.ArgumentTypeError(text)


def folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise wrong(f"{text} is a file, not a folder" if path.exists() else f"there is no folder {text}")
    return path


def file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise wrong(f"{text} is no file" if path.exists() else f"there is no file {text}")
    if not os.access(path, os.R_OK):
        raise wrong(f"{text} may not be read")
    return path


def existing(text: str) -> Path:
    if not Path(text).exists():
        raise wrong(f"there is no {text}")
    return Path(text)


def new_file(text: str) -> Path:
    """Known to be writable before the run, not after it."""
    path = Path(text)
    if path.is_dir():
        raise wrong(f"{text} is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise wrong(f"there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise wrong(f"{text} may not be written")
    return path


def url(text: str) -> str:
    try:
        parts = urlsplit(text if "//" in text else f"http://{text}")
        usable = parts.scheme == "http" and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.path not in ("", "/") or parts.query:
        raise wrong(f"{text} is not of the form http://HOST:PORT")
    return text


def pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise wrong(f"{text} is not of the form NAME=VALUE")
    return name, value


def variable(text: str) -> tuple[str, str]:
    name, value = pair(text)
    if not VARIABLE.fullmatch(name):
        raise wrong(f"{name} is no name of an environment variable")
    return name, value


def metric(text: str) -> tuple[str, str]:
    name, pattern = pair(text)
    try:
        re.compile(pattern)
    except re.error as error:
        raise wrong(f"{pattern} is no regular expression: {error}") from error
    return name, pattern


def channel(text: str) -> tuple[str, Path]:
    name, value = pair(text)
    return name, folder(value)


def claims(text: str) -> tuple[Claim, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if unknown := [word for word in words if word not in CLAIMS]:
        raise wrong(f"{', '.join(unknown)} is no claim; there are: {', '.join(CLAIMS)}")
    return tuple(Claim(word) for word in words)


def media_type(text: str) -> str:
    if not MEDIA_TYPE.fullmatch(text):
        raise wrong(f"{text} is no media type such as text/csv")
    return text


def instance_type(text: str) -> str:
    if not INSTANCE_TYPE.fullmatch(text):
        raise wrong(f"{text} is no instance type such as ml.m5.large")
    return text


def whole(unit: str, least: int) -> Callable[[str], int]:
    """A whole number of a unit."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or int(text[:12]) < least:
            raise wrong(f"{text} is not a whole number of {unit}, at least {least}")
        return int(text[:12])

    return number


def seconds(text: str) -> float:
    return _positive(text, "seconds")


def cpus(text: str) -> float:
    return _positive(text, "CPUs")


def _positive(text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.01 <= number < 1e6:  # not a number is neither
        raise wrong(f"{text} is not a number of {unit} above 0")
    return number
