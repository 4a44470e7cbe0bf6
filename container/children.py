"""The supervisor's children: started in a process group of their own, so that whatever they leave behind is reachable.

Standard library only: it runs in PID 1.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

RESTARTS = 3  # then the fault is not a passing one, and the platform's replacement is the better cure
RESTART_WINDOW_S = 300.0


@dataclass
class Child:
    """One program that the server consists of."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    pipe_stderr: bool = False
    process: subprocess.Popen[bytes] | None = None
    restarts: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS))

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def stderr(self) -> IO[bytes] | None:
        return self.process.stderr if self.process else None

    def start(self, *arguments: str) -> None:
        """Start the program. Its stdin is empty; its stderr is ours or a pipe."""
        self.process = subprocess.Popen(
            [*self.command, *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE if self.pipe_stderr else None,
            process_group=0,
        )

    def send(self, signum: signal.Signals) -> None:
        """Signal the program itself."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signum)

    def send_group(self, signum: signal.Signals, pid: int) -> None:
        """Signal what is left of a program that had this pid: its workers outlive it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signum)

    def reaped(self, returncode: int) -> None:
        """The supervisor has reaped it with waitpid(-1); tell Popen, which would otherwise warn."""
        if self.process is not None:
            self.process.returncode = returncode
            self.process = None

    def may_restart(self, now_s: float) -> bool:
        """Whether it died fewer than RESTARTS times within RESTART_WINDOW_S; counts this time."""
        recent = len(self.restarts) == RESTARTS and now_s - self.restarts[0] < RESTART_WINDOW_S
        self.restarts.append(now_s)
        return not recent


def exit_code(status: int) -> int:
    """A waitpid status as a shell would say it: 128 + signal for a death by signal."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
