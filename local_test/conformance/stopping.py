"""What Ctrl-C and SIGTERM do: whatever was started is removed at once, however busy the check that runs is.

Used by command. The main thread leaves what it does by an exception; the containers are removed in a thread meanwhile,
since the main thread may first have to wait for clients of theirs.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
RELEASE_LIMIT_S = 150.0  # an engine that does not answer must not hold us for ever


class Stopped(BaseException):
    """A signal says to stop. Not an Exception, so that no check takes it for a fault of its own."""


class Stopping:
    """Minds the signals inside its block. The first one counts, further ones are ignored."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.release: Callable[[], None] = lambda: None
        """Ends all that was started. May be called twice, from any thread."""
        self._released = threading.Event()
        self._former: dict[signal.Signals, object] = {}

    def __enter__(self) -> Stopping:
        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:  # nohup
                self._former[each] = signal.signal(each, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is not Stopped:  # else no further signal may keep us from the end
            for each, former in self._former.items():
                signal.signal(each, former)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        return self.signal.name if self.signal else "nothing"

    @property
    def status(self) -> int:
        """The exit status that tells of the signal."""
        return 128 + (self.signal or 0)

    def check(self) -> None:
        """Raise Stopped if a signal has come: some code may have swallowed the first one."""
        if self.signal is not None:
            raise Stopped

    def finish(self) -> None:
        """Wait until all is removed."""
        self._released.wait(RELEASE_LIMIT_S)
        self.release()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            return
        self.signal = signal.Signals(number)
        # Not threading: the signal may have come while this thread held a lock of that module.
        _thread.start_new_thread(self._release, ())
        raise Stopped

    def _release(self) -> None:
        with contextlib.suppress(Exception):
            self.release()
        self._released.set()
