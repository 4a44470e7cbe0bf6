"""The predict lane: decides who predicts when. A bounded queue and the threads that empty it, one lane per model.

Model.invoke submits calls from many request threads; with one lane thread the model never sees two calls at once.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar, cast

from container.errors import DeadlineExceeded, Overloaded

T = TypeVar("T")

RETRY_AFTER_LIMIT_S = 60
NEWEST_WEIGHT = 0.2  # of the newest call in the running mean: some ten calls are remembered


@dataclass(slots=True)
class Timings:
    """Where the time of one request went, in milliseconds; None for what was not reached."""

    queue_ms: float | None = None
    decode_ms: float | None = None
    predict_ms: float | None = None
    encode_ms: float | None = None
    rows: int | None = None


class Ticket:
    """One call on its way through the lane. Whoever waits for it owns it: no result can reach anyone else."""

    __slots__ = ("call", "context", "deadline", "done", "error", "finished", "started", "submitted", "value")

    def __init__(self, call: Callable[[], Any], deadline: float) -> None:
        self.call = call
        self.context = contextvars.copy_context()  # so that what the call logs carries the request id
        self.deadline = deadline
        self.submitted = monotonic()
        self.started = self.finished = 0.0
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()  # held until the call is over: a quarter of the cost of an Event
        self.done.acquire()

    def run(self) -> None:
        """Run the call. Whatever it raises, SystemExit too, is kept for the one who waits."""
        self.started = monotonic()
        try:
            self.value = self.context.run(self.call)
        except BaseException as error:  # the lane must outlive whatever user code raises
            self.error = error
        self.finished = monotonic()
        self.done.release()


class Lane:
    """Runs submitted calls in their order, `threads` at a time. Has no thread before start(): it can be forked."""

    def __init__(self, *, threads: int, queue_limit: int, watchdog_s: float) -> None:
        self._thread_count = threads
        self._queue_limit = queue_limit
        self._watchdog_s = watchdog_s
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        self._entry = threading.Lock()
        self.closed = False
        self._threads: list[threading.Thread] = []
        self._running: dict[int, float] = {}
        self.mean_call_s = 0.0

    def start(self) -> None:
        """Start the threads; call it after the fork."""
        for seat in range(self._thread_count):
            thread = threading.Thread(target=self._serve, args=(seat,), name=f"predict-{seat}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def started(self) -> bool:
        return bool(self._threads)

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return self._queue.qsize()

    def submit(self, call: Callable[[], T], deadline: float, timings: Timings) -> T:
        """Wait for the call's turn and return what it returns, or raise what it raises.

        Raises Overloaded when the queue is full, DeadlineExceeded when monotonic() reaches deadline first. A call that
        runs by then runs on and its result is thrown away; one that still waits is never run.
        """
        ticket = Ticket(call, deadline)
        self._enter(ticket)
        if not ticket.done.acquire(timeout=max(0.0, deadline - ticket.submitted)):
            raise DeadlineExceeded(
                "The answer was not ready at the request's deadline. Send less in one request, or raise "
                "SAGEMAKER_MODEL_SERVER_TIMEOUT."
            )
        timings.queue_ms = round((ticket.started - ticket.submitted) * 1000, 3)
        timings.predict_ms = round((ticket.finished - ticket.started) * 1000, 3)
        if ticket.error is not None:
            try:
                raise ticket.error
            finally:
                ticket.error = None  # a cycle with its own traceback: it would keep the request's data until gc runs
        return cast("T", ticket.value)

    def stuck(self) -> bool:
        """Whether a call has been running for longer than watchdog_s: its thread may never come back."""
        oldest = monotonic() - self._watchdog_s
        return any(started < oldest for started in list(self._running.values()))

    def close(self, timeout_s: float | None = None) -> None:
        """Refuse new calls, finish those that wait, end the threads. A call that hangs is left behind at timeout_s."""
        with self._entry:
            self.closed = True
            for _ in self._threads:
                self._queue.put(None)
        end = math.inf if timeout_s is None else monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if end == math.inf else max(0.0, end - monotonic()))

    def _enter(self, ticket: Ticket) -> None:
        if not self._threads:
            raise RuntimeError("the lane has no threads yet; call start() first")
        with self._entry:
            if self.closed:
                raise Overloaded("The server is stopping. Try again.")
            if self.waiting >= self._queue_limit:
                raise Overloaded(
                    f"{self._queue_limit} requests already wait for a prediction. Try again later, or send less.",
                    retry_after_s=self._retry_after_s(),
                )
            self._queue.put(ticket)

    def _retry_after_s(self) -> int:
        """About how long those who wait now will take."""
        wait_s = self._queue_limit * self.mean_call_s / self._thread_count
        return max(1, min(RETRY_AFTER_LIMIT_S, math.ceil(wait_s)))

    def _serve(self, seat: int) -> None:
        while (ticket := self._queue.get()) is not None:
            if monotonic() < ticket.deadline:
                self._run(ticket, seat)
            del ticket  # an idle lane must not hold the last request's data

    def _run(self, ticket: Ticket, seat: int) -> None:
        self._running[seat] = monotonic()
        ticket.run()
        del self._running[seat]
        self.mean_call_s += NEWEST_WEIGHT * (ticket.finished - ticket.started - self.mean_call_s)
