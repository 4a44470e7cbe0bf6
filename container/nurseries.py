"""The nursery as the keeper has it: one that forks, and at times its successor, which takes its place when it is ready.

Called by keeper. One that dies is started again; models that are loaded go on without it.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Protocol

from container.channel import pair, receive, send
from container.errors import Overloaded
from container.served import NOT_NOW

log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who is told what the nursery says."""

    alive: bool

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None: ...
    def forget_channel(self, sock: socket.socket) -> None: ...
    def nursery_ready(self) -> None: ...
    def nursery_failed(self, failure: dict[str, Any]) -> None: ...
    def child_ended(self, pid: int, code: int) -> None: ...


class Nurseries:
    """At most two of them."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._present: socket.socket | None = None
        self._next: socket.socket | None = None

    def start(self) -> None:
        """Start one; it takes the place of the present one when it is ready."""
        near, far = pair()
        near.setblocking(False)
        command = [sys.executable, "-m", "container.nursery", str(far.fileno())]
        subprocess.Popen(command, pass_fds=[far.fileno()])
        far.close()
        self._next = near
        self._keeper.listen_to(near, self._take)

    def send(self, message: dict[str, Any], *descriptors: int) -> None:
        """Raises Overloaded while it cannot take it."""
        channel = self._present or self._next
        if channel is None:
            raise Overloaded(NOT_NOW)
        try:
            send(channel, message, *descriptors)
        except OSError as error:
            raise Overloaded(NOT_NOW) from error

    def _take(self, sock: socket.socket, _events: int) -> None:
        message, _ = receive(sock)
        if message is None:
            self._ended(sock)
        elif message["state"] == "ready":
            self._ready(sock)
        elif message["state"] == "failed":
            self._keeper.nursery_failed(message["failure"])
        elif message["state"] == "ended":
            self._keeper.child_ended(message["pid"], message["code"])

    def _ready(self, sock: socket.socket) -> None:
        if self._present is not None:
            self._keeper.forget_channel(self._present)
            self._present.close()
        self._present, self._next = sock, None
        self._keeper.nursery_ready()

    def _ended(self, sock: socket.socket) -> None:
        self._keeper.forget_channel(sock)
        sock.close()
        if sock is self._next:
            self._next = None
        if sock is self._present:
            self._present = None
        if self._keeper.alive and self._present is None and self._next is None:
            log.error("nursery_ended")
            self.start()
