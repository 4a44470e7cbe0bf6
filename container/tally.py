"""What a worker counts of its requests: numbers in a file of shared memory that the supervisor reads for GET /metrics.

exchange adds each request when it has been answered; worker opens the file after the fork. A request costs some
microseconds; nobody waits for a lock that another process holds. Standard library only: exposition, in PID 1, reads it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

DOUBLE_BYTES = 8
STATUSES = 600  # one number each, at its own index
TIMES_MS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

HISTOGRAMS = {
    "queue": TIMES_MS, "decode": TIMES_MS, "predict": TIMES_MS, "encode": TIMES_MS, "request": TIMES_MS,
    "batch_rows": ROWS,
}  # fmt: skip
"""Name -> upper bounds of its buckets. Each has one number a bucket, one for what is above, and the sum."""

TOTALS = ("rows", "bytes_in", "bytes_out")


def _offsets() -> dict[str, int]:
    found, end = {}, STATUSES
    for name, bounds in HISTOGRAMS.items():
        found[name], end = end, end + len(bounds) + 2
    for name in TOTALS:
        found[name], end = end, end + 1
    return {**found, "": end}


OFFSETS = _offsets()
COUNT = OFFSETS[""]
_HISTOGRAM_PLACES = tuple((OFFSETS[name], bounds) for name, bounds in HISTOGRAMS.items())
_TOTAL_PLACES = tuple(OFFSETS[name] for name in TOTALS)
PREFIX = "tally-"


class Tally:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.numbers = memoryview(bytearray(COUNT * DOUBLE_BYTES)).cast("d")
        self._entry = threading.Lock()

    def open(self, run_dir: Path) -> None:
        """Count from now on where the supervisor looks, from zero; called in each worker. On a full disk, nowhere."""
        path = run_dir / f"{PREFIX}{os.getpid()}"
        with contextlib.suppress(OSError), path.open("w+b") as file:
            file.write(bytes(COUNT * DOUBLE_BYTES))  # not a hole: on a full disk, to fill one would end the worker
            file.flush()
            self.numbers = memoryview(mmap.mmap(file.fileno(), COUNT * DOUBLE_BYTES)).cast("d")

    def add(self, status: int, measured: Iterable[float | None], totals: Iterable[int | None]) -> None:
        """One answered request. measured, in the order of HISTOGRAMS: times in ms, then rows; totals, in that of
        TOTALS. None for what was not reached."""
        numbers = self.numbers
        with self._entry:  # request threads of gthread
            numbers[status] += 1
            for value, (start, bounds) in zip(measured, _HISTOGRAM_PLACES, strict=False):
                if value is not None:
                    numbers[start + bisect_left(bounds, value)] += 1
                    numbers[start + len(bounds) + 1] += value
            for count, place in zip(totals, _TOTAL_PLACES, strict=True):
                numbers[place] += count or 0


TALLY = Tally()
"""This process's own."""
