"""The WebSockets of worker class gthread: each has a thread of its own, and one more thread reads and pings them all.

Made by worker where there is a stream_fn. A turn of the lane is lent: a lane thread waits while the owner has it, so
that no more predictions run at once than the lane has threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from selectors import DefaultSelector
from time import monotonic
from typing import Any

from container.errors import DeadlineExceeded
from container.lane import Job
from container.line import NO_TURN, Line
from container.lines import TICK_S, UPGRADE, Lines, Terms, Watched
from container.thread_lane import ThreadTicket

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ThreadLines(Lines):
    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._selector = DefaultSelector()
        self._entry = threading.Lock()
        self._reader: threading.Thread | None = None

    def offered_to(self, wsgi: Wsgi) -> Wsgi:
        """The app, told of how to take a connection over."""

        def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            environ[UPGRADE] = partial(self.take_over, environ)
            return wsgi(environ, start_response)

        return call

    def take_over(self, environ: dict[str, Any]) -> ThreadLine:
        """The line that the connection of a request becomes. The thread that calls this is its owner."""
        with self._entry:
            line = ThreadLine(self, environ["gunicorn.socket"])
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="sockets", daemon=True)
                self._reader.start()
        return line

    def watch(self, line: Watched, events: int) -> None:
        with self._entry:
            if line.watched == events:
                return
            if not events:
                self._selector.unregister(line.sock)
            elif line.watched:
                self._selector.modify(line.sock, events, line.ready)
            else:
                self._selector.register(line.sock, events, line.ready)
            line.watched = events

    def _read(self) -> None:
        while True:
            for key, events in self._selector.select(TICK_S):
                key.data(events)
            self.tick()


class _Loan:
    """A turn that a lane thread has to give, and an owner wants until its time is over."""

    def __init__(self) -> None:
        self._decided, self._given, self._returned = threading.Lock(), threading.Lock(), threading.Lock()
        self._given.acquire()
        self._returned.acquire()

    def lend(self, _: None) -> None:
        """The lane's call."""
        if self._decided.acquire(blocking=False):
            self._given.release()
            self._returned.acquire()

    def take(self, timeout_s: float) -> bool:
        if self._given.acquire(timeout=timeout_s):
            return True
        if self._decided.acquire(blocking=False):
            return False
        return self._given.acquire()  # it is being given just now

    def give_back(self) -> None:
        self._returned.release()


class ThreadLine(Line):
    def __init__(self, lines: Lines, sock: Any) -> None:
        super().__init__(lines, sock, threading.Condition())
        self._loan: _Loan | None = None

    def begin(self) -> None:
        terms, loan = self.lines.terms, _Loan()
        terms.lane.enter(ThreadTicket(Job(loan.lend, None, admitted=True), monotonic() + terms.turn_s))
        if not loan.take(terms.turn_s):
            raise DeadlineExceeded(NO_TURN)
        self._loan = loan
        self._check_listener()

    def end(self) -> None:
        if self._loan is not None:
            self._loan.give_back()
            self._loan = None
