"""Folded stacks of py-spy, and whose lines the time was spent in. Used by profile."""

from __future__ import annotations

import linecache
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FRAME = re.compile(r"(.+) \((.+):(\d+)\)")
WAITING = re.compile(r"\.acquire\(|queue\.get\(|\.poll\(|\.select\(|\.wait\(|signal\.pause\(|time\.sleep\(")
"""Lines in which a thread waits for work. py-spy leaves out idle threads, but not all of them in a container."""

OWN_FOLDERS = ("container",)
"""Of the program folder: ours. Its other files, and those of the artifact, are yours."""


@dataclass(frozen=True)
class Stack:
    """Where a thread was, outermost first, and how often it was seen there. A frame: function, file, line."""

    frames: tuple[tuple[str, str, int], ...]
    count: int


@dataclass(frozen=True)
class Line:
    """A line of yours or ours, and its share of all that was seen."""

    share: float
    owner: str
    place: str
    source: str


def parse_stacks(text: str) -> list[Stack]:
    """Stacks of py-spy's raw format: frames between semicolons, then a count."""
    stacks = []
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        found = [FRAME.fullmatch(frame) for frame in frames.split(";")]
        stacks.append(Stack(tuple((each[1], each[2], int(each[3])) for each in found if each), int(count)))
    return stacks


def by_line(stacks: Iterable[Stack], folders: list[Path]) -> list[Line]:
    """The lines by the time in them and in the libraries below them, most first.

    folders: the program's, then the artifact's. A moment counts for the innermost line that is yours or ours; it does
    not count where a thread waits for work. What your code waits for counts.
    """
    seen: Counter[tuple[str, str, int, str]] = Counter()
    for stack in stacks:
        place = _innermost(stack, folders)
        if place[3] == "yours" or not _waits(stack):
            seen[place] += stack.count
    whole = sum(seen.values()) or 1
    return [_line(100 * count / whole, *key) for key, count in seen.most_common()]


def _waits(stack: Stack) -> bool:
    _, file, number = stack.frames[-1] if stack.frames else ("", "", 0)
    return bool(WAITING.search(linecache.getline(file, number)))


def _innermost(stack: Stack, folders: list[Path]) -> tuple[str, str, int, str]:
    for function, file, number in reversed(stack.frames):
        if owner := owner_of(Path(file), folders):
            return function, file, number, owner
    return "", "", 0, "other"


def owner_of(file: Path, folders: list[Path]) -> str:
    """yours, ours or nothing: libraries are nobody's, also those installed below the program's folder."""
    program, artifact = (folder.absolute() for folder in folders)
    if "site-packages" in file.parts:
        return ""
    if file.is_relative_to(artifact):
        return "yours"
    if file.is_relative_to(program):
        return "ours" if file.relative_to(program).parts[0] in OWN_FOLDERS else "yours"
    return ""


def _line(share: float, function: str, file: str, number: int, owner: str) -> Line:
    if not file:
        return Line(share, owner, "gunicorn, Python and libraries alone", "")
    return Line(share, owner, f"{Path(file).name}:{number} {function}", linecache.getline(file, number).strip())
