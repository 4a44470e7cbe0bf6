"""Feeds a channel in Pipe mode: a FIFO for each epoch, with all of the channel's files one after the other.

Used by checks of training. The platform has the next epoch's FIFO ready when a program has read the last one.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

PIECE_BYTES = 1 << 16
LOOK_EVERY_S = 0.01


class Feeder:
    """Feeds while it is open. No program can make it wait: it looks whether it shall stop all the time."""

    def __init__(self, folder: Path, channel: str, source: Path) -> None:
        self.folder, self.channel, self.source = folder, channel, source
        self.epochs = 0
        """How many FIFOs were opened."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name=f"feed-{channel}", daemon=True)
        self._make(0)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _feed(self) -> None:
        for epoch in itertools.count():
            if (fifo := self._open(self._path(epoch))) is None:
                return
            self.epochs += 1
            self._make(epoch + 1)
            try:
                for piece in self._pieces():
                    self._write(fifo, piece)
            except BrokenPipeError:
                pass  # it has read enough of this epoch
            finally:
                os.close(fifo)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"{self.channel}_{epoch}"

    def _make(self, epoch: int) -> None:
        os.mkfifo(self._path(epoch))
        self._path(epoch).chmod(0o666)

    def _open(self, path: Path) -> int | None:
        """The FIFO's writing end, once somebody reads it; None if it shall stop."""
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
        return None

    def _pieces(self) -> Iterator[bytes]:
        for path in sorted(path for path in self.source.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece

    def _write(self, fifo: int, data: bytes) -> None:
        while data and not self._stop.is_set():
            if select.select([], [fifo], [], LOOK_EVERY_S)[1]:
                data = data[os.write(fifo, data) :]
