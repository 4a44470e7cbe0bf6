"""Ctrl-C and SIGTERM: what AWS has begun goes on, and people are told how to go on with it. Called by __main__."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from typing import NoReturn

from deploy.config import FILE
from deploy.errors import DeployError

CHANGING = ("up", "scale", "rollback", "down")
"""Verbs that wait for what AWS does."""

INTERRUPTED, TERMINATED = 130, 143
"""As shells tell the end by a signal: 128 and its number."""

WHERE = ("file", "name", "region")
"""Options that say which deployment is meant, whatever the verb."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends the process as Ctrl-C does: `finally` runs, a container that was tried is stopped."""


def listen() -> None:
    """For a process of our own. With stdout or stderr closed (>&-) Python has None there, which nobody can print to."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> NoReturn:
    raise Terminated


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
    step = ", ".join(f"{way}: `{shlex.join(['python', '-m', 'deploy', *words])}`" for way, words in ways.items())
    return Interrupted(stop, f"{verb} stopped waiting; what AWS has begun goes on.", f"{step}.")
