"""Serves many models, in the place of gunicorn: keeps them loaded, and hands each connection to whoever has its model.

Started by the supervisor. It runs no user code and predicts nothing, so that whatever a model does, the others are
reached. It looks at the first line of a request without taking it off the socket, and gives the whole connection away.
docs/decisions/0009 has the figures.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

from container import logs, status
from container.errors import Overloaded
from container.handover import pair, receive, send
from container.loop import IDLE_S, Loop, LoopLane
from container.management import Management
from container.repository import NOT_NOW, Repository
from container.room import Room
from container.seats import Doors, address
from container.settings import Settings
from container.tally import TALLY

log = logging.getLogger(__name__)

INVOCATION = re.compile(rb"POST /models/([^/? ]+)/invoke[? ]")
PEEK_BYTES = 4096  # a name of 1,024 characters, each as three
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

    def __init__(self, do: Callable[[], None]) -> None:
        super().__init__(queue_limit=1, watchdog_s=ALARM_S)
        self._do = do

    def turn(self) -> None:
        self._do()


class Router(Loop):
    """A loop that keeps only what is about models, and gives away what is for one."""

    repository: Repository

    def greet(self, sock: socket.socket, listener: socket.socket) -> None:
        """Mostly the request is there already; else look when it is."""
        try:
            head = sock.recv(PEEK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            self.listen_to(sock, partial(self._greet_later, listener))
        except OSError:
            sock.close()
        else:
            self._route(head, sock, listener)

    def _greet_later(self, listener: socket.socket, sock: socket.socket, _events: int) -> None:
        self.forget_channel(sock)
        self.greet(sock, listener)

    def _route(self, head: bytes, sock: socket.socket, listener: socket.socket) -> None:
        found = INVOCATION.match(head)
        name = unquote_to_bytes(found[1]).decode("utf-8", "replace") if found else ""
        if name and self.repository.hand_over(name, sock):
            sock.close()
        else:
            super().greet(sock, listener)

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None:
        """callback(sock, events) when there is something to read."""
        self._selector.register(sock, 1, partial(callback, sock))

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
        app = Management(settings, self.repository)
        self.router = Router(
            Doors([_listening(settings)]), self.wake[0], app, Chores(self.look_around),
            deadline_s=settings.startup_timeout_s, limit_bytes=settings.max_body_bytes,
        )  # fmt: skip
        self.router.repository = self.repository
        self.nursery: socket.socket | None = None
        self.next_nursery: socket.socket | None = None

    def run(self) -> int:
        status.report(self.settings.run_dir, "loading")
        TALLY.open(self.settings.run_dir)
        for end in self.wake:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)
        for signum, handler in ((signal.SIGTERM, self._stop), (signal.SIGHUP, self._reload)):
            signal.signal(signum, handler)
        self._start_nursery()
        self.router.run(lambda: self.alive)
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
            self._start_nursery()
        if now_s - self.beaten_s >= status.HEARTBEAT_S / 2:
            self.beaten_s = now_s
            signal.alarm(ALARM_S)
            self.repository.look_around(now_s)
            if self.ready:
                status.report(self.settings.run_dir, "alive" if self.alive else "stopping")

    # what the repository needs

    def order(self, message: dict[str, Any], *descriptors: int) -> None:
        """Raises Overloaded while the nursery cannot take it."""
        nursery = self.nursery or self.next_nursery
        if nursery is None:
            raise Overloaded(NOT_NOW)
        try:
            send(nursery, message, *descriptors)
        except OSError as error:
            raise Overloaded(NOT_NOW) from error

    def learn(self, modules: list[str]) -> None:
        with contextlib.suppress(Overloaded):  # then the next model has to import for itself
            self.order({"learn": modules})

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None:
        self.router.listen_to(sock, callback)

    def forget_channel(self, sock: socket.socket) -> None:
        self.router.forget_channel(sock)

    def process_ended(self, pid: int) -> None:
        status.report(self.settings.run_dir, "gone", pid=pid)

    # the nursery

    def _start_nursery(self) -> None:
        """Start one; it takes the place of the present one when it is ready."""
        near, far = pair()
        near.setblocking(False)
        command = [sys.executable, "-m", "container.nursery", str(far.fileno())]
        subprocess.Popen(command, pass_fds=[far.fileno()])
        far.close()
        self.next_nursery = near
        self.listen_to(near, self._take_from_nursery)

    def _take_from_nursery(self, sock: socket.socket, _events: int) -> None:
        message, _ = receive(sock)
        if message is None:
            self._nursery_ended(sock)
        elif message["state"] == "ready":
            self._nursery_ready(sock)
        elif message["state"] == "failed":
            self._nursery_failed(message["failure"])
        elif message["state"] == "ended":
            self.repository.ended(message["pid"], message["code"])

    def _nursery_ready(self, sock: socket.socket) -> None:
        first, self.next_nursery = not self.ready, None
        if self.nursery is not None:
            self.forget_channel(self.nursery)
            self.nursery.close()
        self.nursery = sock
        if first:
            self.ready = True
            self.repository.load_former()
            status.report(self.settings.run_dir, "ready")
        else:
            self.repository.reload()

    def _nursery_failed(self, failure: dict[str, Any]) -> None:
        """predictor.py cannot be imported: a start ends, a reload leaves all as it was."""
        if not self.ready:
            status.report(self.settings.run_dir, "failed", failure=failure)
            self.alive, self.exit_code = False, status.EXIT_FAILED

    def _nursery_ended(self, sock: socket.socket) -> None:
        self.forget_channel(sock)
        sock.close()
        if sock is self.next_nursery:
            self.next_nursery = None
        if sock is self.nursery:
            self.nursery = None
        if self.alive and self.nursery is None and self.next_nursery is None:
            log.error("nursery_ended")
            self._start_nursery()

    # the end

    def _stop(self, *_: Any) -> None:
        self.alive = False

    def _reload(self, *_: Any) -> None:
        self.reloading = True

    def _close(self) -> None:
        self.repository.close()
        end_s = monotonic() + CLOSE_S
        while not self.repository.empty and monotonic() < end_s:
            self.router._resume_ready(IDLE_S / 10)


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
