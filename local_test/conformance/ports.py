"""A port for a server to be started. Used by subjects and compose; by local_test.run, bench and the tests."""

from __future__ import annotations

import contextlib
import random
import socket

FIRST, LAST = 10_000, 32_767


def free_port() -> int:
    """One that nobody listens on now, and that no client is given before it is used: Linux's begin at 32768."""
    while True:
        port = random.randint(FIRST, LAST)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
