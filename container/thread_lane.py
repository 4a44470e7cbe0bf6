"""The predict lane of worker class gthread: callers are request threads, and lane threads predict.

For handlers that wait on other services; with one lane thread the model never sees two calls at once.
"""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import Any

from container.errors import DeadlineExceeded
from container.lane import TOO_LATE, Job, Lane, Ticket, Timings


class ThreadTicket(Ticket):
    """A ticket whose owner sleeps until it is done."""

    __slots__ = ("done",)

    def __init__(self, job: Job, deadline: float) -> None:
        super().__init__(job, deadline)
        self.done = threading.Lock()  # held until the job is over: a quarter of the cost of an Event
        self.done.acquire()


class ThreadLane(Lane):
    """Runs `threads` batches at a time."""

    def __init__(self, *, threads: int, **limits: Any) -> None:
        super().__init__(**limits)
        self.parallel = threads
        self._filled = threading.Condition(self._entry)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        super().start()
        for seat in range(self.parallel):
            thread = threading.Thread(target=self._serve, args=(seat,), name=f"predict-{seat}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def submit(self, job: Job, deadline: float, timings: Timings) -> Any:
        ticket = ThreadTicket(job, deadline)
        self.enter(ticket)
        if not ticket.done.acquire(timeout=max(0.0, deadline - ticket.submitted)):
            raise DeadlineExceeded(TOO_LATE)
        return ticket.result(timings)

    def enter(self, ticket: Ticket) -> None:
        super().enter(ticket)
        with self._filled:
            self._filled.notify()

    def close(self, timeout_s: float | None = None) -> None:
        """Refuse new jobs, finish those that wait, end the threads. A call that hangs is left behind at timeout_s."""
        with self._filled:
            self.closed = True
            self._filled.notify_all()
        end = math.inf if timeout_s is None else monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if end == math.inf else max(0.0, end - monotonic()))

    def _serve(self, seat: int) -> None:
        while self._await_jobs():
            self._serve_batch(seat)

    def _serve_batch(self, seat: int) -> None:
        """A method of its own, so that an idle lane holds nothing of the last request."""
        batch = self.take()
        if batch:
            self.run(batch, seat)
        for ticket in batch:
            ticket.done.release()

    def _await_jobs(self) -> bool:
        """Sleep until a batch is due; False when the lane is closed and nobody waits."""
        with self._filled:
            while not self.closed and ((delay_s := self.delay_s()) or not self._queue):
                self._filled.wait(delay_s or None)  # asked once: it may be over when it is asked again
            return bool(self._queue)
