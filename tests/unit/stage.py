"""A keeper that the test plays, with every process and door that the repository has to do with.

Used by test_repository.py and test_sleepers.py.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

from container.channel import send
from container.door import Door
from container.errors import ServingError
from container.repository import Repository
from container.slots import Slot


class Stage:
    """The keeper, and every process that the repository has ordered, oldest first."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.far: list[socket.socket] = []
        self.callbacks: dict[int, Callable[..., None]] = {}
        self.channels: list[socket.socket] = []
        self.learned: list[str] = []
        self.away: list[socket.socket] = []
        self.refusal: ServingError | None = None

    def order(self, message: dict[str, Any], *descriptors: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.orders.append(message)
        self.far.append(socket.socket(fileno=os.dup(descriptors[1])))

    def learn(self, modules: list[str]) -> None:
        self.learned += modules

    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None:
        if not isinstance(sock, Door):
            self.channels.append(sock)
        self.callbacks[sock.fileno()] = callback

    def forget_channel(self, sock: socket.socket) -> None:
        del self.callbacks[sock.fileno()]

    def process_ended(self, pid: int) -> None: ...

    def turn_away(self, sock: socket.socket, door: Door) -> None:  # noqa: ARG002
        self.away.append(sock)

    # the processes

    def names(self) -> list[str]:
        """Of the models that a process was ordered for."""
        return [order["name"] for order in self.orders]

    def tell(self, number: int = -1, **message: Any) -> None:
        """The process says something."""
        send(self.far[number], message)
        self.callbacks[self.channels[number].fileno()]()

    def end(self, number: int = -1) -> None:
        """The process is gone."""
        callback = self.callbacks[self.channels[number].fileno()]
        self.far[number].close()
        callback()

    def ready(self, number: int = -1) -> None:
        self.tell(number, state="ready", modules=[])

    def told_to_close(self, number: int) -> bool:
        self.far[number].setblocking(False)
        try:
            return bool(json.loads(self.far[number].recv(100)) == {"do": "close"})
        except BlockingIOError:
            return False

    # who asks

    def knock(self, repository: Repository, name: str) -> socket.socket:
        """Somebody comes to the model's door, and the keeper sees it if it looks."""
        door = repository.door(name)
        assert door is not None
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(door.folder / "s"))
        if callback := self.callbacks.get(door.fileno()):
            callback()
        return client


class Ended(list[ServingError | None]):
    """A Done that remembers."""

    def __call__(self, error: ServingError | None) -> None:
        self.append(error)


def load(repository: Repository, stage: Stage, name: str, url: str = "a") -> Slot:
    """A model that is loaded; where its process counts."""
    ended = Ended()
    repository.load(name, url, None, ended)
    stage.ready()
    assert ended == [None]
    return repository.get(name).processes[0].slot
