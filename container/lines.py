"""All WebSockets of a worker, and what holds for them. Made by worker where there is a stream_fn.

Who watches their sockets is a subclass's: loop_line has the worker's loop do it, thread_line a thread.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from container.lane import Lane

UPGRADE = "serving.upgrade"
"""Key of the environ: a function of the worker that gives the request's connection up, as a Line."""

TICK_S = 1.0


class Watched(Protocol):
    """A line, as who watches it sees it."""

    sock: socket.socket
    watched: int
    """The events that it waits for."""

    def ready(self, events: int) -> None: ...
    def tick(self, now_s: float, leave: int | None) -> None: ...


@dataclass(frozen=True)
class Terms:
    """What holds for all lines of a worker."""

    lane: Lane
    limit_bytes: int
    """Of a message; 0 means no limit."""
    turn_s: float
    """How long stream_fn may wait for its turn."""
    last_words_s: float
    """How long it may go on once the worker is to end."""
    leave: Callable[[], int | None]
    """The code to close with if the worker is to end."""


class Lines:
    """The WebSockets of one worker."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.open: set[Watched] = set()
        self._next_tick_s = 0.0

    @abstractmethod
    def watch(self, line: Watched, events: int) -> None:
        """Call line.ready when one of events is there; 0 for none."""

    def forget(self, line: Watched) -> None:
        self.watch(line, 0)
        self.open.discard(line)

    def tick(self) -> None:
        """Do what is due; asked at least once a second."""
        now_s = monotonic()
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + TICK_S
            leave = self.terms.leave()
            for line in list(self.open):
                line.tick(now_s, leave)
