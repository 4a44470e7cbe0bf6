"""Says whose process made a container or network, so that the next run finds what a killed one has left.

Used by engine.Engine. A number alone does not do: it may be another process' by now, or count in another container.
"""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

ELSEWHERE_LIMIT = datetime.timedelta(days=1)  # no run takes as long

SEPARATOR = "/"
WORDS = 5


def here() -> str:
    """This process: its machine, the namespace of its number, the boot, the number and when it began."""
    return SEPARATOR.join((*_place(), str(os.getpid()), _began(os.getpid())))


def is_gone(owner: str, created: str) -> bool:
    """Whether no such process lives. One of another machine is taken for gone a day after created (RFC 3339)."""
    words = owner.split(SEPARATOR)
    if len(words) != WORDS or not words[-2].isdecimal():
        return True
    *place, pid, began = words
    if tuple(place[:2]) != _place()[:2]:
        return _age(created) > ELSEWHERE_LIMIT
    return tuple(place) != _place() or not _lives(int(pid)) or began != _began(int(pid))


def _place() -> tuple[str, str, str]:
    node = platform.node().replace(SEPARATOR, "-")
    return node, _link("/proc/self/ns/pid"), _text("/proc/sys/kernel/random/boot_id").strip()


def _began(pid: int) -> str:
    """Clock ticks after the boot: field 22 of proc(5)'s stat. Empty where there is no /proc."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _age(created: str) -> datetime.timedelta:
    try:
        then = datetime.datetime.fromisoformat(created[:19] + "+00:00")
    except ValueError:
        return ELSEWHERE_LIMIT * 2
    return datetime.datetime.now(datetime.UTC) - then


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
