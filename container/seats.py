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

    def served_by(self, seat: int) -> list[int]:
        """A seat, and its share of those that nobody serves: each of these has one worker that stands in."""
        live = [each for each, pid in enumerate(self._pids) if pid or each == seat]
        vacant = [each for each in range(self.count) if each not in live]
        return [seat, *vacant[live.index(seat) :: len(live)]]


class Doors:
    """The sockets that one worker accepts on: that of its seat, and its share of those of vacant seats."""

    def __init__(self, sockets: Sequence[socket.socket], seats: Seats | None = None, seat: int = 0) -> None:
        """Without seats it accepts on all."""
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
        """Whether open() may be others than when this was asked last."""
        state = b"" if self._seats is None else self._seats.state()
        changed, self._seen = state != self._seen, state
        return changed

    def open(self) -> set[socket.socket]:
        """Where to accept now."""
        if self._seats is None:
            return set(self._sockets)
        return {self._sockets[seat] for seat in self._seats.served_by(self._seat)}
