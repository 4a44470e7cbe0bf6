"""What people see: progress on stderr, the result on stdout. Made by __main__, given to every verb.

On a terminal the last line is renewed; elsewhere a line is written when something changes, and each minute.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from deploy.errors import DeployError

QUIET_S = 60
"""How long nothing is written where lines cannot be renewed."""


class Terminal:
    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._renews = sys.stderr.isatty()
        self._open = False
        self._last = ("", 0.0)

    def say(self, text: str) -> None:
        """One line of what goes on."""
        self._close()
        print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")

    def progress(self, what: str, status: str, elapsed_s: float, usual: str) -> None:
        """What is waited for, for how long, and how long it usually takes."""
        text = f"  {what}: {status}, {clock(elapsed_s)}{f' of usually {usual}' if usual else ''}"
        self._renew(text, f"{what} {status}")

    def advance(self, what: str, done: str, elapsed_s: float) -> None:
        """How far it is."""
        self._renew(f"  {what} {done}, {clock(elapsed_s)}", what)

    def _renew(self, text: str, state: str) -> None:
        before = self._last
        if self._renews:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif state != before[0] or time.monotonic() - before[1] >= QUIET_S:
            print(text, file=sys.stderr, flush=True)
            self._last = (state, time.monotonic())

    def result(self, told: dict[str, Any], text: str) -> None:
        """The verb's answer, as JSON or for people."""
        self._close()
        print(json.dumps(told, indent=2, default=str) if self.as_json else text, flush=True)

    def failed(self, error: DeployError) -> None:
        self._close()
        if self.as_json:
            told = {"reason": error.reason, "next_step": error.next_step, "log": list(error.lines)}
            print(json.dumps({"error": told}, indent=2), flush=True)
        lines = [f"error: {error.reason}", *(f"  | {line}" for line in error.lines)]
        lines += [f"next: {error.next_step}"] if error.next_step else []
        print("\n".join(lines), file=sys.stderr, flush=True)

    def asked(self, question: str) -> bool:
        """Whether somebody says yes; where nobody can be asked, nobody does."""
        self._close()
        if not sys.stdin.isatty():
            return False
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _close(self) -> None:
        if self._open:
            print(file=sys.stderr)
            self._open = False


def clock(seconds: float) -> str:
    """1:05, as a stopwatch has it."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
