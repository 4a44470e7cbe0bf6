"""SIGTERM in a training job: tell the user's loop, or interrupt it, and end before the platform kills.

Used by training around the user's train function; job.stopping is the StopFlag here. The platform sends SIGTERM and,
120 s later, SIGKILL: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import _thread
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

GRACE_S = 75.0  # for a loop that asks job.stopping: time to end its round and save
LIMIT_S = 105.0  # from the signal to the end of the process, whatever it does; 15 s are left to hash a large model


class Stopped(BaseException):
    """Raised in the main thread to end training. No Exception, so that user code's `except Exception` lets it pass."""


class StopFlag:
    """Whether the platform wants the job to stop. Who asks it is trusted to return by itself within GRACE_S."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.was_asked = False

    def is_set(self) -> bool:
        self.was_asked = True
        return self._event.is_set()

    __bool__ = is_set

    def wait(self, timeout_s: float) -> bool:
        """Wait up to timeout_s for the stop; True if it came."""
        self.was_asked = True
        return self._event.wait(timeout_s)

    def set(self) -> None:
        self._event.set()


class SigtermWatch:
    """While open, SIGTERM sets the flag and ends what runs in interrupting(); at LIMIT_S it calls give_up.

    A thread reads the signal from a socket, since a Python handler waits as long as the main thread is inside one
    long C call, such as SVC.fit. https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers
    """

    def __init__(self, flag: StopFlag, give_up: Callable[[], None]) -> None:
        self._flag = flag
        self._give_up = give_up
        self._interruptible = False
        self._overdue = False
        self._closed = threading.Event()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)  # signal.set_wakeup_fd asks for it

    def __enter__(self) -> SigtermWatch:
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handler_before = signal.signal(signal.SIGTERM, self._on_sigterm)
        # Blocked meanwhile: a signal to a child just forked must not reach the handler that it still has from us.
        os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=self._leave_in_child)
        threading.Thread(target=self._watch, name="stop-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, self._handler_before)
        self._writer.close()  # ends the thread's recv

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Only what runs in here is interrupted, once; afterwards the artifact is completed in peace."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _on_sigterm(self, *_: object) -> None:
        # Sets no flag: Event.set would deadlock if the main thread is inside Event.wait. The thread sets it.
        if self._interruptible and (self._overdue or not self._flag.was_asked):
            self._interruptible = False
            raise Stopped

    def _watch(self) -> None:
        with self._reader:
            while (received := self._reader.recv(1)) and received[0] != signal.SIGTERM:
                pass
        if not received:
            return
        self._flag.set()
        log.info("stopping", extra={"grace_s": GRACE_S if self._flag.was_asked else 0, "limit_s": LIMIT_S})
        if not self._closed.wait(GRACE_S):
            self._overdue = True
            _thread.interrupt_main(signal.SIGTERM)
        if not self._closed.wait(LIMIT_S - GRACE_S):
            self._give_up()

    def _leave_in_child(self) -> None:
        """A forked child, such as a multiprocessing pool's, is ended by SIGTERM, and must not write to our socket."""
        if not self._closed.is_set():
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _unblock()


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
