"""python -m deploy keys: every key of deploy.toml, what it means, and its default."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from deploy.config import Config
from deploy.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("section", nargs="?", help="only this one: scaling")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    rows = [row for row in every(Config) if row["key"].startswith(args.section or "")]
    width = max((len(row["key"]) for row in rows), default=0)
    terminal.result({"keys": rows}, "\n".join(f"{row['key']:{width}}  {_said(row)}" for row in rows))
    return 0


def every(kind: Any, where: str = "") -> Iterator[dict[str, Any]]:
    """A row a key, sections before what is in them; [] stands for the items of a list of sections."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name = where + (field.metadata.get("key") or field.name)
        inner = _section_of(hints[field.name])
        default = None if inner or field.default is dataclasses.MISSING else field.default
        words = list(field.metadata.get("one_of") or ())
        yield {"key": name, "text": field.metadata["text"], "default": default, "one_of": words}
        if inner:
            many = typing.get_origin(hints[field.name]) is tuple
            yield from every(inner, f"{name}[]." if many else f"{name}.")


def _section_of(hint: Any) -> Any:
    """The class of a section, of one that may be missing, or of many."""
    parts = (hint, *typing.get_args(hint))
    return next((each for each in parts if isinstance(each, type) and dataclasses.is_dataclass(each)), None)


def _said(row: dict[str, Any]) -> str:
    words = f" ({', '.join(row['one_of'])})" if row["one_of"] else ""
    default = "" if row["default"] in (None, "", ()) else f" [{row['default']}]"
    return f"{row['text']}{words}{default}"
