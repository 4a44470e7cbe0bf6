"""The socket of one model, which nginx leads its requests to by the model's name.

Made by the keeper's repository; the model's processes accept on it: whoever has time takes the next connection. The
keeper holds it too, so that what waits outlives a process that dies, and so that a model without a process can be woken
by whoever knocks. Standard library only.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

FOLDER = "models"
SOCKET = "s"
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}")
"""Names that nginx finds by itself; nginx.conf has the same words. A longer one would not fit into an address: unix(7).
Nothing else begins with a dot."""


class Door(socket.socket):
    """A listening socket, with all that a worker asks of one."""

    @classmethod
    def build(cls, run_dir: Path, number: int, backlog: int) -> Door:
        """One that nobody finds yet. Raises OSError where no descriptor is left."""
        door = cls(socket.AF_UNIX)
        door.folder = run_dir / FOLDER / f".{number}"
        try:
            door.folder.mkdir(parents=True)
            door.bind(str(door.folder / SOCKET))
            door.listen(backlog)
            door.setblocking(False)
        except OSError:
            door.remove()
            raise
        return door

    folder = Path()

    @property
    def sock(self) -> Door:
        """gunicorn wraps its sockets."""
        return self

    @property
    def address(self) -> str:
        """What nginx has to be told, where the name does not say it."""
        return self.folder.name

    def open(self, name: str) -> None:
        """From now on nginx leads requests for the model of this name here."""
        if PLAIN.fullmatch(name):
            self.folder = self.folder.rename(self.folder.with_name(name))

    def remove(self) -> None:
        """Nobody finds it any more; who is there already may still come in."""
        with contextlib.suppress(OSError):
            (self.folder / SOCKET).unlink(missing_ok=True)
            self.folder.rmdir()

    def knocked(self) -> bool:
        """Whether somebody waits to be let in."""
        poll = select.poll()  # select() takes no descriptor above 1,023
        poll.register(self, select.POLLIN)
        return bool(poll.poll(0))

    def let_in(self) -> Iterator[socket.socket]:
        """All who wait now."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield self.accept()[0]
