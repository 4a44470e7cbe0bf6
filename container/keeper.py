"""Keeps many models loaded, in the place of gunicorn: answers /models, wakes those that sleep, watches their processes.

Started by the supervisor. It runs no user code and predicts nothing, so that whatever a model does, the others are
reached. Requests for models do not pass through it: nginx leads them to the model's door. docs/decisions/0009 has the
figures.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import selectors
import signal
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from container import logs, status
from container.errors import Overloaded
from container.loop import IDLE_S, Loop, LoopLane
from container.management import Management
from container.nurseries import Nurseries
from container.repository import Repository
from container.room import Room
from container.seats import Doors, address
from container.settings import Settings
from container.tally import TALLY

log = logging.getLogger(__name__)

BACKLOG = 2048
ALARM_S = 60  # a loop that has not turned for so long is ended by the kernel, and the supervisor starts another one
CLOSE_S = 2.0


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    settings = Settings.from_environ()
    logs.configure(settings.log_level)
    _allow_many_files()
    return Keeper(settings).run()


class Chores(LoopLane):
    """What the loop does between its turns: there is nothing to predict here."""

    def __init__(self, do: Callable[[], None], rest_s: Callable[[], float]) -> None:
        super().__init__(queue_limit=1, watchdog_s=ALARM_S)
        self._do = do
        self._rest_s = rest_s

    def turn(self) -> None:
        self._do()

    def timeout_s(self) -> float:
        return self._rest_s()


class Hall(Loop):
    """A loop that looks after channels and doors too."""

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None:
        """callback(sock, events) when there is something to read."""
        self._selector.register(sock, selectors.EVENT_READ, partial(callback, sock))

    def forget_channel(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)


class Keeper:
    """The process's life: run -> serve -> stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.alive, self.ready, self.reloading, self.closing = True, False, False, False
        self.beaten_s = 0.0
        self.exit_code = 0
        self.wake = os.pipe()
        self.repository = Repository(settings, self, Room(), max(1, settings.workers))
        chores = Chores(self.look_around, lambda: self.repository.rest_s or IDLE_S)
        self.hall = Hall(
            Doors([_listening(settings)]), self.wake[0], Management(settings, self.repository), chores,
            deadline_s=settings.startup_timeout_s, limit_bytes=settings.max_body_bytes,
        )  # fmt: skip
        self.nurseries = Nurseries(self)

    def run(self) -> int:
        status.report(self.settings.run_dir, "loading")
        TALLY.open(self.settings.run_dir)
        self.repository.open()
        for end in self.wake:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)
        for signum, handler in ((signal.SIGTERM, self._stop), (signal.SIGHUP, self._reload)):
            signal.signal(signum, handler)
        self.nurseries.start()
        self.hall.run(lambda: self.alive)
        self._close()
        return self.exit_code

    def look_around(self) -> None:
        """Once a second, and when something happened."""
        now_s = monotonic()
        if not self.alive and not self.closing:
            self.closing = True
            self.repository.close()
        if self.reloading:
            self.reloading = False
            self.nurseries.start()
        self.repository.grant()
        if now_s - self.beaten_s >= status.HEARTBEAT_S / 2:
            self.beaten_s = now_s
            signal.alarm(ALARM_S)
            self.repository.look_around(now_s)
            if self.ready:
                status.report(self.settings.run_dir, "alive" if self.alive else "stopping")

    # what the repository needs

    def order(self, message: dict[str, Any], *descriptors: int) -> None:
        """Raises Overloaded while the nursery cannot take it."""
        self.nurseries.send(message, *descriptors)

    def learn(self, modules: list[str]) -> None:
        with contextlib.suppress(Overloaded):  # then the next model has to import for itself
            self.order({"learn": modules})

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None:
        self.hall.listen_to(sock, callback)

    def forget_channel(self, sock: socket.socket) -> None:
        self.hall.forget_channel(sock)

    def turn_away(self, sock: socket.socket, door: socket.socket) -> None:
        """Let management say why nobody answers who came to this door."""
        self.hall.greet(sock, door)

    def process_ended(self, pid: int) -> None:
        status.report(self.settings.run_dir, "gone", pid=pid)

    # what the nursery says

    def nursery_ready(self) -> None:
        if self.ready:
            self.repository.reload()
        else:
            self.ready = True
            status.report(self.settings.run_dir, "ready")

    def nursery_failed(self, failure: dict[str, Any]) -> None:
        """predictor.py cannot be imported: a start ends, a reload leaves all as it was."""
        if not self.ready:
            status.report(self.settings.run_dir, "failed", failure=failure)
            self.alive, self.exit_code = False, status.EXIT_FAILED

    def child_ended(self, pid: int, code: int) -> None:
        self.repository.ended(pid, code)

    # the end

    def _stop(self, *_: Any) -> None:
        self.alive = False

    def _reload(self, *_: Any) -> None:
        self.reloading = True

    def _close(self) -> None:
        self.repository.close()
        end_s = monotonic() + CLOSE_S
        while not self.repository.empty and monotonic() < end_s:
            self.hall._resume_ready(IDLE_S / 10)


def _listening(settings: Settings) -> socket.socket:
    path = address(settings.run_dir, 0)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(BACKLOG)
    return listener


def _allow_many_files() -> None:
    """Each model takes three descriptors or more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    raise SystemExit(main())
