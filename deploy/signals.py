"""Ctrl-C and SIGTERM as they come: raised at once, and kept for whoever looks. Called by __main__, aws and wait.

Python 3.11.2 loses an exception that a signal raises where `try: list.index(...)` fails and `except ValueError` goes on
with a loop, as botocore/hooks.py does for each call: 10 of 80 that came just before one.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends the process as Ctrl-C does: `finally` runs, a container that was tried is stopped."""


KINDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}
_come: list[type[KeyboardInterrupt]] = []


def listen() -> None:
    """For a process of our own. With stdout or stderr closed (>&-) Python has None there, which nobody can print to."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for number in KINDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell starts what is to stay in the background
            signal.signal(number, _stop)


def check() -> None:
    """Raises what came and was lost. Between calls, where nothing is half done."""
    if _come:
        raise _come[-1]


def _stop(number: int, _: object) -> NoReturn:
    _come.append(KINDS[signal.Signals(number)])
    raise _come[-1]
