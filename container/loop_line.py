"""The WebSockets of the default worker: each is spoken by the greenlet of its connection, which steps aside to wait.

Made by worker where there is a stream_fn. A turn of the lane is lent: the lane's call resumes the greenlet, and returns
when that ends its turn, so that stream_fn stays where it is and never runs beside another prediction.
"""

from __future__ import annotations

import math
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

from container.errors import DeadlineExceeded
from container.lane import Job, Ticket
from container.line import NO_TURN, Line
from container.lines import UPGRADE, Lines, Terms, Watched


class Loop(Protocol):
    """What is needed of loop.Loop."""

    def watch(self, watched: Any, events: int) -> None: ...


class LoopLines(Lines):
    def __init__(self, terms: Terms, loop: Loop) -> None:
        super().__init__(terms)
        self._loop = loop

    def offer(self, environ: dict[str, Any], connection: Any) -> None:
        """Tell the app how to take over the connection of this request. The greenlet that does is the line's owner."""
        environ[UPGRADE] = partial(self._take_over, connection)

    def _take_over(self, connection: Any) -> LoopLine:
        self._loop.watch(connection, 0)
        connection.pending.deadline = math.inf  # it will not be answered in HTTP any more
        return LoopLine(self, connection)

    def watch(self, line: Watched, events: int) -> None:
        self._loop.watch(line, events)


class Aside:
    """A Condition of greenlets, which are never in each other's way."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._waits = False

    def __enter__(self) -> None: ...

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None: ...

    def wait(self) -> None:
        self._waits = True
        self._owner.parent.switch()

    def notify(self) -> None:
        if self._waits:
            self._waits = False
            self._owner.switch()


class Turn(Ticket):
    """A turn of the lane that a greenlet waits for."""

    __slots__ = ("waiter",)

    def __init__(self, job: Job, deadline: float, waiter: Any) -> None:
        super().__init__(job, deadline)
        self.waiter = waiter


class LoopLine(Line):
    def __init__(self, lines: Lines, connection: Any) -> None:
        super().__init__(lines, connection.sock, Aside(connection))
        self.rest = connection.requests.upgrade
        self._owner = connection
        self._has_turn = False

    def begin(self) -> None:
        terms = self.lines.terms
        job = Job(self._lend, None, admitted=True)
        terms.lane.enter(Turn(job, monotonic() + terms.turn_s, self._owner))
        self._owner.parent.switch()
        if not self._has_turn:  # it was too late, and is told so as if it had been
            raise DeadlineExceeded(NO_TURN)
        self._check_listener()

    def end(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._owner.parent.switch()  # to _lend; the lane resumes who waits for the call that is over then

    def _lend(self, _: None) -> None:
        """The lane's call: goes on until the owner ends its turn."""
        self._has_turn = True
        self._owner.switch()
