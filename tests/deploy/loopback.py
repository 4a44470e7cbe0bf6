"""The guard: no socket of a test reaches anything but this machine. Used by conftest.py and children/sitecustomize.py.

An audit hook of Python sees every connect and every name that is looked up, whoever makes it, and cannot be taken out;
it can be told to look away. Standard library only: every Python child of a test loads this file before its own program.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

LOG = "LOOPBACK_GUARD_LOG"
"""The variable that names a file in which children write what they were refused."""

ADDRESSES = {"socket.connect", "socket.sendto", "socket.sendmsg"}
NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


class NotLoopback(RuntimeError):
    """Not an OSError, which AWS's clients take for a reason to try again."""


class Guard:
    def __init__(self) -> None:
        self.on = self.installed = False
        self.refused: list[str] = []
        """What this process was refused."""

    def enforce(self) -> None:
        if not self.installed:
            sys.addaudithook(self.look)
        self.on = self.installed = True

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and (event in ADDRESSES or event in NAMES):
            target = arguments[1] if event in ADDRESSES else arguments[0]
            host = target[0] if isinstance(target, tuple) else target if event in NAMES else None
            if not is_loopback(host):
                self.refuse(f"{event} {target}")

    def refuse(self, what: str) -> None:
        self.refused.append(what)
        if log := os.environ.get(LOG):
            with Path(log).open("a") as file:
                file.write(f"{' '.join(sys.orig_argv)}: {what}\n")
        raise NotLoopback(f"{what}: tests reach nothing but loopback")


def is_loopback(host: object) -> bool:
    """A Unix socket's path, netlink's numbers and an empty host are of this machine too."""
    if isinstance(host, bytes):
        host = host.decode()
    if not isinstance(host, str) or host in ("", "localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or (
        address.version == 6 and bool(address.ipv4_mapped and address.ipv4_mapped.is_loopback)
    )


guard = Guard()
"""One a process, as the hook is."""
