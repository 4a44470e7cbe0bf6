"""Ctrl-C and SIGTERM: what AWS has begun goes on, and people are told how to go on with it.

Called by __main__; up and down keep the command that goes on in the journal.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from deploy.config import FILE
from deploy.errors import DeployError
from deploy.signals import Terminated

CHANGING = ("up", "scale", "rollback", "down")
"""Verbs that wait for what AWS does."""

INTERRUPTED, TERMINATED = 130, 143
"""As shells tell the end by a signal: 128 and its number."""

WHERE = ("file", "name", "region")
"""Options that say which deployment is meant, whatever the verb."""

ONCE = ("--again", "--no-wait")
"""Options that have done their work: a job that has begun is not to be begun again, and what is left is waited for."""


class Interrupted(DeployError):
    def __init__(self, stop: KeyboardInterrupt, reason: str, next_step: str = "") -> None:
        super().__init__(reason, next_step)
        self.exit_code = TERMINATED if isinstance(stop, Terminated) else INTERRUPTED


def told(stop: KeyboardInterrupt, arguments: list[str], args: argparse.Namespace) -> Interrupted:
    """Whoever only looked has left nothing behind; the others are told whole commands, to be typed as they are."""
    verb = arguments[0]
    if verb not in CHANGING:
        return Interrupted(stop, f"{verb} was interrupted.")
    said = {name: value for name in WHERE if (value := getattr(args, name)) not in (None, FILE)}
    where = [word for name, value in said.items() for word in (f"--{name}", str(value))]
    ways = {"Look": ["status", *where], "go on": arguments, "take it back": ["down", *where]}
    if verb == "down":
        del ways["take it back"]
    step = ", ".join(f"{way}: `{command(words)}`" for way, words in ways.items())
    return Interrupted(stop, f"{verb} stopped waiting; what AWS has begun goes on.", f"{step}.")


def command(words: Sequence[str]) -> str:
    """To be typed as it is, and to go on with what these words began."""
    return shlex.join(["python", "-m", "deploy", *(word for word in words if word not in ONCE)])
