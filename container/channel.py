"""Short messages between the processes of a server of many models, and open files that travel with them.

Called by keeper, nursery, processes and model_process. Standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import Any

MESSAGE_LIMIT_BYTES = 128 * 1024
DESCRIPTORS = 2  # that travel with a message, at most
EMPTY = (errno.EAGAIN, os.strerror(errno.EAGAIN))


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart. Raises OSError where no descriptor is left."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: dict[str, Any], *descriptors: int) -> None:
    """Send a message with open files. Raises OSError, BlockingIOError where the other end is behind."""
    socket.send_fds(sock, [json.dumps(message).encode()], descriptors)


def receive(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its descriptors; None if the other end has closed. Raises BlockingIOError."""
    try:
        data, descriptors, _, _ = socket.recv_fds(sock, MESSAGE_LIMIT_BYTES, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:  # it has closed, and has not read all
        return None, []
    return (json.loads(data) if data else None), list(descriptors)


class Control:
    """The keeper's word to one process, looked at as if it was one more listening socket of the worker."""

    def __init__(self, channel: socket.socket, on_close: Callable[[], None]) -> None:
        self._channel = channel
        self._on_close = on_close
        channel.setblocking(False)

    @property
    def sock(self) -> Control:
        """gunicorn wraps its sockets."""
        return self

    def fileno(self) -> int:
        return self._channel.fileno()

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def getsockname(self) -> str:
        return ""

    def accept(self) -> tuple[socket.socket, str]:
        """Called when there is word: to close, or no keeper any more. Raises BlockingIOError, always."""
        receive(self._channel)
        self._on_close()
        raise BlockingIOError(*EMPTY)

    def close(self) -> None:
        """Nothing: its end is that of the process, which tells the keeper that the memory is free again."""

    def tell(self, **message: Any) -> None:
        send(self._channel, message)
