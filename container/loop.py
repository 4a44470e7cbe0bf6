"""The default worker's loop: one thread reads every request that is ready, then predicts once for all who wait.

Built by worker.LoopWorker. No request changes threads or waits for a lock: a connection is a greenlet that steps aside
until its socket or its prediction is ready; only the worker's watch looks on from a second thread. Plain greenlets,
nothing is monkey-patched, so that numerical libraries see one ordinary thread. docs/decisions/0007 has the figures.
"""

from __future__ import annotations

import logging
import math
import os
import selectors
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from container.connection import Connection, Pending, Wsgi
from container.errors import Abandoned
from container.lane import Job, Lane, Ticket, Timings
from container.seats import Doors

if TYPE_CHECKING:
    from container.lines import Watched
    from container.loop_line import LoopLines

log = logging.getLogger(__name__)

IDLE_S = 1.0
READ_BYTES = 256 * 1024
ACCEPTS = 256  # in one turn: more than nginx opens at once


class LoopTicket(Ticket):
    """A ticket whose owner is a greenlet that stepped aside."""

    __slots__ = ("waiter",)

    def __init__(self, job: Job, deadline: float, waiter: Any) -> None:
        super().__init__(job, deadline)
        self.waiter = waiter

    def wants_answer(self) -> bool:
        return super().wants_answer() and not self.waiter.gone


class LoopLane(Lane):
    """The lane whose callers are connections of a loop; the loop calls turn."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self._dropped: list[LoopTicket] = []

    def submit(self, job: Job, deadline: float, timings: Timings) -> Any:
        waiter = getcurrent()
        if not isinstance(waiter, Connection):
            return super().submit(job, deadline, timings)  # the warm-up, before the loop
        ticket = LoopTicket(job, deadline, waiter)
        self.enter(ticket)
        waiter.parent.switch()
        if waiter.gone:
            raise Abandoned
        return ticket.result(timings)

    def turn(self) -> None:
        """Predict for the next batch, if one is due, and let its owners go on."""
        if not self._queue or self.delay_s():
            return
        batch = self.take()
        if batch:
            self.run(batch)
        done, self._dropped = self._dropped + batch, []
        for ticket in done:
            ticket.waiter.switch()

    def drop(self, ticket: LoopTicket) -> None:
        self._dropped.append(ticket)

    def timeout_s(self) -> float:
        """How long the loop may sleep."""
        return self.delay_s() if self._queue else IDLE_S


class Loop:
    """Connections and the listening sockets they come from."""

    connection_class = Connection

    def __init__(self, doors: Doors, wake_fd: int, wsgi: Wsgi, lane: LoopLane, *,
                 deadline_s: float, limit_bytes: int) -> None:  # fmt: skip
        self.wsgi = wsgi
        self.lane = lane
        self.deadline_s = deadline_s
        self.limit_bytes = limit_bytes
        self.buffer = memoryview(bytearray(READ_BYTES))  # one for all: a read is parsed before the next one
        self._alive: Callable[[], bool] = lambda: True
        self.busy_since_s: float | None = None
        self.connections: set[Connection] = set()
        self.lines: LoopLines | None = None  # where there is a stream_fn
        self._selector = selectors.DefaultSelector()
        self._doors = doors
        self._listening: set[socket.socket] = set()
        self._rests_until_s = math.inf
        self._selector.register(wake_fd, selectors.EVENT_READ, lambda _: os.read(wake_fd, 4096))

    def run(self, alive: Callable[[], bool]) -> None:
        """Serve while alive() and then until the last connection has closed."""
        self._alive = alive
        self._doors.sit()
        while alive() or self.connections:
            if self.closing and self._listening:
                self._doors.leave()
                self._listen(set())
            elif not self.closing and (self._doors.changed() or monotonic() > self._rests_until_s):
                self._rests_until_s = math.inf
                self._listen(self._doors.open())
            self._resume_ready(self.lane.timeout_s())
            if self.lane.waiting:
                self._resume_ready(0)  # who came or left meanwhile: the first read of a request does not show its end
            self.lane.turn()
            if self.lines is not None:
                self.lines.tick()

    def _resume_ready(self, timeout_s: float) -> None:
        self.busy_since_s = None
        ready = self._selector.select(timeout_s)
        for key, events in ready:
            self.busy_since_s = monotonic()
            key.data(events)
        self.busy_since_s = monotonic()

    def keeps(self, connection: Connection) -> bool:
        """Whether it may serve another request. No more, if its seat has a worker of its own again."""
        return not self.closing and (connection.listener in self._listening or self._rests_until_s < math.inf)

    @property
    def closing(self) -> bool:
        """Whether connections should end with their next answer. An idle one is left to nginx, which may just now be
        sending a request."""
        return not self._alive()

    def stuck(self, watchdog_s: float) -> bool:
        """Whether one request, or one call, has kept the loop for longer than that. Called by another thread."""
        since_s = self.busy_since_s
        return since_s is not None and monotonic() - max(since_s, self.lane.latest_start_s) > watchdog_s

    def overdue(self, now_s: float) -> list[tuple[Connection, Pending]]:
        """Requests past their deadline that nobody has answered. Called by another thread."""
        pairs = [(connection, connection.pending) for connection in list(self.connections)]
        return [(connection, pending) for connection, pending in pairs if pending and pending.deadline < now_s]

    # for connections

    def watch(self, watched: Connection | Watched, events: int) -> None:
        """Tell it when one of events is there; 0 for none."""
        if watched.watched == events:
            return
        if not events:
            self._selector.unregister(watched.sock)
        elif watched.watched:
            self._selector.modify(watched.sock, events, watched.ready)
        else:
            self._selector.register(watched.sock, events, watched.ready)
        watched.watched = events

    def forget(self, connection: Connection) -> None:
        self.watch(connection, 0)
        self.connections.discard(connection)

    def _accept(self, listener: socket.socket, _events: int) -> None:
        if listener not in self._listening:  # since _rest, in this same turn
            return
        for _ in range(ACCEPTS):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: socket.socket) -> bool:
        """Whether there may be more to accept."""
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # none is left, or another worker was faster
            return False
        except OSError as error:  # mostly EMFILE: whom we have may go on, and leaves descriptors when done
            self._rest(error)
            return False
        sock.setblocking(False)
        self.greet(sock, listener)
        return True

    def greet(self, sock: socket.socket, listener: socket.socket) -> None:
        """Serve a connection that was just accepted."""
        connection = self.connection_class(self, sock, listener)
        self.connections.add(connection)
        connection.switch()

    def _rest(self, error: OSError) -> None:
        """Accept nobody for a while: who waits stays waiting, and would keep the loop turning."""
        log.error("accept_failed", extra={"error": str(error)})
        self._listen(set())
        self._rests_until_s = monotonic() + IDLE_S

    def _listen(self, wanted: set[socket.socket]) -> None:
        """Accept on these from now on, and on no others."""
        for listener in self._listening - wanted:
            self._selector.unregister(listener)
        for listener in wanted - self._listening:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        self._listening = wanted
