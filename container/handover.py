"""Between the processes of a server of many models: short messages, and open connections handed on.

Called by repository, nursery and model_process. A model's processes share one queue of connections: whoever has time
takes the next one. The keeper holds both ends, so that what waits outlives a process that dies. Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any

MESSAGE_LIMIT_BYTES = 128 * 1024
DESCRIPTORS = 2  # that travel with a message, at most
MARK = (b"c",)  # a descriptor needs a byte to travel with: unix(7)
INT_BYTES = struct.calcsize("i")
ONE_DESCRIPTOR = socket.CMSG_SPACE(INT_BYTES)
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


class Handover:
    """The queue of one model."""

    def __init__(self) -> None:
        """Raises OSError where no descriptor is left."""
        self.entrance, self.exit = pair()
        self.entrance.setblocking(False)

    def put(self, connection: socket.socket) -> bool:
        """Hand a connection on; False if as many wait as the kernel keeps, some 270."""
        descriptor = connection.fileno().to_bytes(INT_BYTES, sys.byteorder)
        try:  # socket.send_fds takes twice as long
            self.entrance.sendmsg(MARK, ((socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor),))
        except OSError:  # EAGAIN, or ETOOMANYREFS where descriptors are short
            return False
        return True

    def close(self) -> None:
        """Whoever still waits is cut off."""
        self.entrance.close()
        self.exit.close()


class Inlet:
    """The queue's other end, with all that a worker asks of a listening socket."""

    def __init__(self, queue: socket.socket, on_accept: Callable[[], None] = lambda: None) -> None:
        self._queue = queue
        self._on_accept = on_accept
        queue.setblocking(False)

    @property
    def sock(self) -> Inlet:
        """gunicorn wraps its sockets."""
        return self

    def fileno(self) -> int:
        return self._queue.fileno()

    def setblocking(self, flag: bool) -> None:
        """It never blocks: other processes may be faster."""

    def getsockname(self) -> str:
        return ""

    def close(self) -> None:
        self._queue.close()

    def accept(self) -> tuple[socket.socket, str]:
        """The next connection. Raises BlockingIOError if there is none, or nobody who could send one."""
        _, ancillary, _, _ = self._queue.recvmsg(1, ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC)
        if not ancillary:
            raise BlockingIOError(*EMPTY)
        self._on_accept()
        descriptor = int.from_bytes(ancillary[0][2][:INT_BYTES], sys.byteorder)
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor), ""

    def waiting(self) -> int:
        """Connections in the queue, whoever will take them."""
        answer = fcntl.ioctl(self._queue, termios.FIONREAD, bytes(INT_BYTES))
        return int.from_bytes(answer, sys.byteorder)


class Control(Inlet):
    """The keeper's word to one process, looked at as if it was one more listening socket."""

    def __init__(self, channel: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(channel)
        self._on_close = on_close

    def accept(self) -> tuple[socket.socket, str]:
        """Called when there is word: to close, or no keeper any more. Raises BlockingIOError, always."""
        receive(self._queue)
        self._on_close()
        raise BlockingIOError(*EMPTY)

    def close(self) -> None:
        """Nothing: its end is that of the process, which tells the keeper that the memory is free again."""

    def tell(self, **message: Any) -> None:
        send(self._queue, message)
