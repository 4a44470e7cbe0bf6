"""The options that verbs share, and what they make of deploy.toml. Called by __main__ and the verbs."""

from __future__ import annotations

import argparse
import math
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.config import FILE, Config, check, load, merged
from deploy.errors import DeployError, Usage
from deploy.sections import JOBS, MODES

POLL_S = 10.0
PLAIN = ("name", "region", "role", "image", "artifact", "version")
OF_INSTANCES = {"instance_type": "type", "count": "count"}


def text(word: str) -> str:
    """The type of an option that has none. An unset variable of the shell is no value: `--name "$NAME"`."""
    if not word.strip():
        raise argparse.ArgumentTypeError("is empty")
    return word


def path(word: str) -> Path:
    """The type of an option that is a Path; an empty one would be the folder that one is in."""
    return Path(text(word))


def whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    """The type of an option that is a whole number within these bounds."""

    def read(word: str) -> int:
        return int(_within(word, int, least, most, "a whole number"))

    return read


def number(least: float) -> Callable[[str], float]:
    """The type of an option that is a number from this one."""

    def read(word: str) -> float:
        return _within(word, float, least, math.inf, "a number")

    return read


def _within(word: str, kind: Callable[[str], float], least: float, most: float, noun: str) -> float:
    bounds = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
    try:
        value = kind(word)
    except ValueError:
        value = math.nan
    if not least <= value <= most or value == math.inf:
        raise argparse.ArgumentTypeError(f"is {word!r}; it is {noun}, {bounds}")
    return value


def add(parser: argparse.ArgumentParser, *, mode: bool = False) -> None:
    """The options of every verb that reads deploy.toml; they win over the file."""
    if mode:
        parser.add_argument("mode", nargs="?", choices=MODES + JOBS, metavar="MODE", help=", ".join(MODES + JOBS))
    parser.add_argument("--file", type=Path, default=FILE, help="instead of ./deploy.toml")
    parser.add_argument("--name", help="the endpoint's name")
    parser.add_argument("--region")
    parser.add_argument("--role", help="execution role, an ARN")
    parser.add_argument("--image", help="by digest, as build_and_push.sh prints it")
    parser.add_argument("--artifact", help="s3:// address of the model")
    parser.add_argument("--version", help="a tag")
    parser.add_argument("--instance-type")
    parser.add_argument("--count", type=whole(1), help="instances")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key: scaling.max=4")


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", choices=("text", "json"), default="text")


def wants_json(arguments: list[str]) -> bool:
    """Whether errors are to be JSON, known before the arguments are: they may be what is wrong."""
    return "--output=json" in arguments or ("--output", "json") in pairwise(arguments)


def add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=number(0), default=3600.0, metavar="S", help="longest wait for one step")
    parser.add_argument("--poll", type=number(0.001), default=POLL_S, metavar="S", help="how often AWS is asked")


def config(args: argparse.Namespace) -> Config:
    """Raises DeployError naming every problem."""
    return load(args.file, overrides(args))


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    told = {name: value for name in (*PLAIN, "mode") if (value := getattr(args, name, None)) is not None}
    here = {key: value for name, key in OF_INSTANCES.items() if (value := getattr(args, name, None)) is not None}
    told |= {"instances": here} if here else {}
    for each in args.set:
        _set(told, each)
    return told


def _set(told: dict[str, Any], each: str) -> None:
    """scaling.max=4: the value is TOML, or a string where it is none."""
    path, equals, text = each.partition("=")
    if not equals or not path.strip():
        raise Usage(f"--set {each} is no KEY=VALUE", "Write --set KEY=VALUE, such as --set scaling.max=4.")
    if not text.strip():
        raise Usage(f"--set {each} has no value", """An empty text is written '--set KEY=""'.""")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, key = path.split(".")
    for section in sections:
        if not isinstance(told := told.setdefault(section, {}), dict):
            raise Usage(f"--set {each}: {section} has a value already.", "Say either the value or the keys in it.")
    told[key] = value


def told(args: argparse.Namespace) -> dict[str, Any]:
    """File and flags as they are, nothing checked."""
    return merged(args.file, overrides(args))


def name_and_region(args: argparse.Namespace) -> tuple[str, str | None]:
    """All that a verb needs which looks at what is there; the rest of the file may be wrong or missing."""
    here = _checked(args, "name", "region")
    if not here.get("name"):
        raise DeployError("There is no name.", "Write name in deploy.toml, or give --name.")
    return here["name"], here.get("region")


def region(args: argparse.Namespace) -> str | None:
    """For a verb that looks at a whole region."""
    return _checked(args, "region").get("region")


def _checked(args: argparse.Namespace, *keys: str) -> dict[str, Any]:
    here = {key: value for key, value in told(args).items() if key in keys}
    check(here)
    return here
