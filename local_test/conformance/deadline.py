"""Ends a check that lasts too long, wherever it is. Used by runner.

Every wait of a check has a limit of its own; this is for what their sum, or a server that trickles, can come to.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN_S = 30.0  # for what a check does at its end


class Overdue(BaseException):
    """It has lasted too long. Not an Exception, so that no check takes it for a fault of its own."""


@contextmanager
def deadline(limit_s: float) -> Iterator[None]:
    """Raise Overdue inside the block after limit_s, and again each AGAIN_S. Only in the main thread, only on POSIX."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(limit_s, 0.001), AGAIN_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # should it have rung just now
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _ring(*_: object) -> None:
    raise Overdue
