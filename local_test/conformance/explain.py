"""The texts of --list and --explain. Used by command."""

from __future__ import annotations

import inspect
import textwrap
from itertools import groupby
from pathlib import Path

from local_test.conformance.assertion import Assertion, Check, Level
from local_test.conformance.catalogue import GROUP_NAMES
from local_test.conformance.pains import TITLES
from local_test.conformance.sources import addresses

WIDTH = 80
LEVELS = {
    Level.MUST: "M: the platform relies on it",
    Level.SHOULD: "S: it is better so",
    Level.INFORMATIVE: "I: it is recorded and never fails",
}
PROJECT_DIR = Path(__file__).absolute().parent.parent.parent


def listing(assertions: list[Assertion]) -> str:
    """A line or two for each, by group."""
    parts = []
    for group, members in groupby(assertions, lambda each: each.group):
        parts.append(f"{group}  {GROUP_NAMES[group]}")
        parts += [_filled(f"  {each.id:7} {each.level}  ", each.promise) for each in members]
    return "\n".join(parts)


def whole(assertion: Assertion) -> str:
    """All there is to say of one."""
    fields = {
        "level": _level(assertion),
        "source": "\n".join(addresses(assertion.source)),
        "if not": assertion.otherwise,
        "fix": assertion.fix,
        "known as": "\n".join(f"{number}. {TITLES.get(number, '')}" for number in assertion.pains),
        "tested": _tested(assertion),
    }
    lines = [_filled(f"{assertion.id}  ", assertion.promise)]
    lines += [_filled(f"  {name + ':':10}", text) for name, text in fields.items() if text]
    return "\n".join([*lines, *_code(assertion.check)])


def _level(assertion: Assertion) -> str:
    text = LEVELS[assertion.level]
    if assertion.must_if:
        text += f"; M where {assertion.must_if.value} is claimed"
    return text + (f"; only where {assertion.claim.value} is claimed" if assertion.claim else "")


def _tested(assertion: Assertion) -> str:
    if assertion.check is None:
        return f"not from outside: {assertion.untestable}"
    words = ["by this check"] + ["(takes long, --fast leaves it out)"] * assertion.slow
    return " ".join(words + ([inspect.getdoc(assertion.check) or ""] if assertion.check.__doc__ else []))


def _code(check: Check | None) -> list[str]:
    """The check itself: it says better than words what is asked and measured."""
    if check is None:
        return []
    path = Path(inspect.getsourcefile(check) or "")
    lines, number = inspect.getsourcelines(check)
    begins = next(index for index, line in enumerate(lines) if line.startswith("def "))
    name = path.relative_to(PROJECT_DIR) if path.is_relative_to(PROJECT_DIR) else path
    return ["", f"  {name}, line {number + begins}", textwrap.indent("".join(lines[begins:]).rstrip(), "    ")]


def _filled(head: str, text: str) -> str:
    """text at WIDTH behind head, each of its lines for itself; addresses are not broken."""
    lines = []
    for part in text.splitlines() or [""]:
        lines += textwrap.wrap(part, WIDTH - len(head), break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join((head if index == 0 else " " * len(head)) + line for index, line in enumerate(lines))
