"""Connections from inside a container's network: how a server is asked that has none of its own (--network none).

Linux only, and only for root, who may enter a network namespace. Used by container.Container.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from local_test.conformance.assertion import Untestable

if TYPE_CHECKING:
    from local_test.conformance.container import Container

CLONE_NEWNET = 0x40000000  # sched.h
TCP_LISTEN = "0A"  # net/tcp_states.h
ENGINE_RESOLVER = "0B00007F"  # 127.0.0.11, where the engine itself answers DNS inside each container on its networks


def connect(pid: int, port: int, timeout_s: float) -> socket.socket:
    """A socket connected to 127.0.0.1:port in the network of process pid. Raises OSError, or Untestable.

    Only the thread that makes the socket enters the network; the socket stays there, and any thread may use it.
    """
    made: list[socket.socket | BaseException] = []
    thread = threading.Thread(target=lambda: made.append(_connect(pid, port, timeout_s)), daemon=True)
    thread.start()
    thread.join()
    result = made[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _connect(pid: int, port: int, timeout_s: float) -> socket.socket | BaseException:
    try:
        _enter(pid)
        return socket.create_connection(("127.0.0.1", port), timeout_s)
    except (OSError, Untestable) as error:
        return error


def _enter(pid: int) -> None:
    """Move this thread into the network of process pid."""
    try:
        fileno = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    except FileNotFoundError as error:
        if not Path("/proc/self/ns/net").exists():
            raise Untestable("the container's network cannot be entered: the engine runs on another machine") from error
        raise ConnectionRefusedError("the container has ended") from error
    except PermissionError as error:
        raise Untestable("only root can enter the container's network: run it again with sudo") from error
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fileno, CLONE_NEWNET):
            raise Untestable(f"the container's network cannot be entered: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fileno)


def listening_ports(container: Container) -> set[int]:
    """TCP ports that are listened on in a container's network, from the kernel's tables."""
    texts = []
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{container.pid}/net/{table}")
        texts.append(path.read_text() if path.exists() else _inside(container, f"/proc/net/{table}"))
    rows = [line.split() for text in texts for line in text.splitlines()[1:]]
    addresses = [row[1].partition(":") for row in rows if row[3] == TCP_LISTEN]
    return {int(port, 16) for address, _, port in addresses if address != ENGINE_RESOLVER}


def _inside(container: Container, path: str) -> str:
    code, text = container.execute("cat", path)
    if code:
        raise Untestable(f"neither from here nor inside the container can {path} be read")
    return text
