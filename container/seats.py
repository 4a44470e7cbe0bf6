"""Which worker accepts on which socket. Made by gunicorn_conf before the fork, used by worker and loop.

Each worker has a socket of its own, so that nginx can give a request to the one with the least to do; with one socket
for all, connections that are kept would pile up on whoever accepted them first. A socket whose worker is gone is served
by the others until its successor sits down.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path


def address(run_dir: Path, seat: int) -> Path:
    """The socket of a seat."""
    return run_dir / f"worker-{seat}.sock"


class Seats:
    """A table in memory that the workers share: the pid that serves each seat, 0 for none."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._table = mmap.mmap(-1, 4 * count)
        self._pids = memoryview(self._table).cast("i")

    def assign(self, taken: Iterable[int]) -> int:
        """A seat for a new worker: one with the fewest workers, since an old one and its successor overlap; of these
        the one taken first. taken: the workers' seats, the oldest worker's first, which is the one gunicorn ends."""
        workers = Counter(taken)  # in the order in which they were taken
        vacant = [seat for seat in range(self.count) if seat not in workers]
        return min([*vacant, *workers], key=workers.__getitem__)

    def sit(self, seat: int, pid: int) -> None:
        """pid serves this seat from now on."""
        self._pids[seat] = pid

    def leave(self, pid: int) -> None:
        """pid serves no seat any more. A seat that a successor has taken is let be."""
        for seat, sitting in enumerate(self._pids):
            if sitting == pid:
                self._pids[seat] = 0

    def state(self) -> bytes:
        """Changes when anyone sits down or leaves."""
        return self._table[:]

    def vacant(self) -> list[int]:
        """Seats that nobody serves."""
        return [seat for seat, pid in enumerate(self._pids) if pid == 0]


class Doors:
    """The sockets that one worker accepts on: its own, and those of vacant seats."""

    def __init__(self, sockets: Sequence[socket.socket], seats: Seats | None = None, seat: int = 0) -> None:
        """Without seats all sockets are its own."""
        self._sockets = sockets
        self._seats = seats
        self._seat = seat
        self._seen: bytes | None = None

    def sit(self) -> None:
        """Tell the others that this worker serves its seat."""
        if self._seats is not None:
            self._seats.sit(self._seat, os.getpid())

    def leave(self) -> None:
        """Let the others serve it."""
        if self._seats is not None:
            self._seats.leave(os.getpid())

    def changed(self) -> bool:
        """Whether own() or vacant() may be others than when it was asked last."""
        state = b"" if self._seats is None else self._seats.state()
        changed, self._seen = state != self._seen, state
        return changed

    def own(self) -> list[socket.socket]:
        return list(self._sockets) if self._seats is None else [self._sockets[self._seat]]

    def vacant(self) -> list[socket.socket]:
        """Not its own. What comes in there should not stay longer than one request."""
        return [] if self._seats is None else [self._sockets[s] for s in self._seats.vacant() if s != self._seat]
