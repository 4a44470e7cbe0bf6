"""The predict lane, one per model and worker: who predicts when, and with whom. The only place where predictions start.

Model.invoke submits; whoever waits is resumed with its own rows of the answer. How one waits is a subclass's:
thread_lane's callers are threads, loop's are greenlets. There is no timer: what came while a prediction ran is the next
batch, so that an idle server adds no delay and a busy one pays the fixed cost of a call once for many.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from container import batching
from container.errors import DeadlineExceeded, Overloaded

log = logging.getLogger(__name__)

RETRY_AFTER_LIMIT_S = 60
NEWEST_WEIGHT = 0.2  # of the newest call in the running mean: some ten calls are remembered
TOO_LATE = (
    "The answer was not ready at the request's deadline. Send less in one request, or raise "
    "SAGEMAKER_MODEL_SERVER_TIMEOUT."
)


@dataclass(slots=True)
class Timings:
    """Where the time of one request went, in milliseconds; None for what was not reached."""

    queue_ms: float | None = None
    decode_ms: float | None = None
    predict_ms: float | None = None
    encode_ms: float | None = None
    rows: int | None = None
    batch_rows: int | None = None
    """Of all requests that were predicted in the same call."""


@dataclass(slots=True)
class Job:
    """What to predict: call(data). Jobs of the same key may be one call; rows says how much of it each is."""

    call: Callable[[Any], Any]
    data: Any
    key: Hashable | None = None
    rows: int = 1
    admitted: bool = False
    """A further step of an answer that has begun: it is never refused for want of room."""


class Ticket:
    """A job on its way through the lane. Whoever waits for it owns it: no answer can reach anyone else."""

    __slots__ = ("batch_rows", "context", "deadline", "error", "finished", "job", "started", "submitted", "value")

    def __init__(self, job: Job, deadline: float) -> None:
        self.job = job
        self.context = contextvars.copy_context()  # so that what the call logs carries the request id
        self.deadline = deadline
        self.submitted = monotonic()
        self.started = self.finished = 0.0
        self.batch_rows = job.rows
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Predict for this one alone. Whatever that raises, SystemExit too, is kept for the one who waits."""
        self.started = monotonic()
        try:
            self.value = self.context.run(self.job.call, self.job.data)
        except BaseException as error:  # the lane must outlive whatever user code raises
            self.error = error
        self.finished = monotonic()

    def fill(self, value: Any, started: float, finished: float, batch_rows: int) -> None:
        """Take its part of a common answer."""
        self.value, self.started, self.finished, self.batch_rows = value, started, finished, batch_rows

    def wants_answer(self) -> bool:
        """False once nobody waits any more. A subclass may know more."""
        return monotonic() < self.deadline

    def result(self, timings: Timings) -> Any:
        """What the call returned; raises what it raised, or DeadlineExceeded if it was never made or ended late."""
        if not self.finished or (self.error is None and self.finished > self.deadline):
            raise DeadlineExceeded(TOO_LATE)
        timings.queue_ms = round((self.started - self.submitted) * 1000, 3)
        timings.predict_ms = round((self.finished - self.started) * 1000, 3)
        timings.batch_rows = self.batch_rows
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # a cycle with its own traceback: it would keep the request's data until gc runs
        return self.value


class Lane:
    """A bounded queue in order of arrival, emptied batch by batch. Has no thread before start(): it can be forked."""

    parallel = 1
    """Predictions that run at once."""

    def __init__(
        self, *, queue_limit: int, watchdog_s: float, max_batch_size: int = 1, max_batch_delay_s: float = 0.0,
        max_wait_s: float = math.inf,
    ) -> None:  # fmt: skip
        self._queue_limit = queue_limit
        self._watchdog_s = watchdog_s
        self._max_batch_size = max_batch_size
        self._max_batch_delay_s = max_batch_delay_s
        self._max_wait_s = max_wait_s
        self._queue: deque[Any] = deque()
        self._waiting_rows = 0  # a job that goes alone, for its size too, counts as a whole batch
        self._entry = threading.Lock()
        self._running: dict[int, float] = {}
        self._batches = True
        self._used = False  # the first call, mostly the warm-up, says nothing about those that follow
        self.started = self.closed = False
        self.mean_call_s = 0.0

    def start(self) -> None:
        """Take jobs from now on; call it after the fork."""
        self.started = True

    def submit(self, job: Job, deadline: float, timings: Timings) -> Any:
        """Wait for the job's turn and return its part of the answer, or raise what its call raised.

        Raises Overloaded when the queue is full, DeadlineExceeded when monotonic() reaches deadline first. A call that
        runs by then runs on and its result is thrown away; one that still waits is never run.
        This one has no others to wait for: it is for a caller that has the process to itself, as in the warm-up.
        """
        ticket = Ticket(job, deadline)
        self.run([ticket])
        return ticket.result(timings)

    @property
    def waiting(self) -> int:
        """Jobs that wait for their turn."""
        return len(self._queue)

    def expected_wait_s(self) -> float:
        """About how long a job that came now would wait: calls before it, times what a call took lately."""
        return math.ceil(self._waiting_rows / self._max_batch_size) * self.mean_call_s / self.parallel

    @property
    def latest_start_s(self) -> float:
        """When the call that runs now began; 0 if none does."""
        return max(list(self._running.values()), default=0.0)

    def stuck(self) -> bool:
        """Whether a call has been running for longer than watchdog_s: it may never come back."""
        oldest = monotonic() - self._watchdog_s
        return any(started < oldest for started in list(self._running.values()))

    def close(self, timeout_s: float | None = None) -> None:  # noqa: ARG002 - a subclass may have to wait
        """Refuse new jobs."""
        self.closed = True

    def enter(self, ticket: Ticket) -> None:
        """Queue a ticket. Raises Overloaded."""
        if not self.started:
            raise RuntimeError("the lane is not open yet; call start() first")
        with self._entry:
            if self.closed:
                raise Overloaded("The server is stopping. Try again.")
            wait_s = self.expected_wait_s()
            if not ticket.job.admitted and (len(self._queue) >= self._queue_limit or wait_s > self._max_wait_s):
                raise Overloaded(
                    f"{len(self._queue)} requests already wait for a prediction. Try again later, or send less.",
                    retry_after_s=max(1, min(RETRY_AFTER_LIMIT_S, math.ceil(wait_s))),
                )
            self._queue.append(ticket)
            self._waiting_rows += self._room_of(ticket.job)

    def take(self) -> list[Any]:
        """The next batch: who waits longest, and those behind it of the same key while rows fit in.

        The longest waiting one is always in, so a large job delays small ones by one call at most, and is never passed
        over for good. Tickets that nobody waits for any more are dropped.
        """
        with self._entry:
            while self._queue:
                ticket = self._queue.popleft()
                self._waiting_rows -= self._room_of(ticket.job)
                if ticket.wants_answer():
                    return [ticket, *self._companions(ticket)]
                self.drop(ticket)
        return []

    def run(self, batch: list[Any], seat: int = 0) -> None:
        """Predict for all of a batch; afterwards each ticket has its value or its error."""
        started = self._running[seat] = monotonic()
        if len(batch) == 1:
            batch[0].run()
            self._check_answer(batch[0])
        else:
            self._run_together(batch, seat)
        del self._running[seat]
        if self._used:
            self.mean_call_s += NEWEST_WEIGHT * (monotonic() - started - self.mean_call_s)
        self._used = True

    def drop(self, ticket: Any) -> None:
        """Called for a ticket that leaves the queue unserved."""

    def delay_s(self) -> float:
        """How long the next batch may still wait for company; 0 means that it is due, or that nobody waits."""
        if not self._max_batch_delay_s or not self._queue:
            return 0.0
        first = self._queue[0]
        if first.job.key is None or sum(ticket.job.rows for ticket in self._queue) >= self._max_batch_size:
            return 0.0
        return max(0.0, float(first.submitted + self._max_batch_delay_s - monotonic()))

    def _room_of(self, job: Job) -> int:
        return min(job.rows, self._max_batch_size) if job.key is not None else self._max_batch_size

    def _companions(self, first: Any) -> list[Any]:
        key, room = first.job.key, self._max_batch_size - first.job.rows
        if key is None or room <= 0 or not self._queue or not self._batches:
            return []
        found, left = [], deque[Any]()
        for ticket in self._queue:
            if ticket.job.key != key or ticket.job.rows > room:
                left.append(ticket)
                continue
            self._waiting_rows -= self._room_of(ticket.job)
            if ticket.wants_answer():
                room -= ticket.job.rows
                found.append(ticket)
            else:
                self.drop(ticket)
        self._queue = left
        return found

    def _run_together(self, batch: list[Any], seat: int) -> None:
        started, counts = monotonic(), [ticket.job.rows for ticket in batch]
        try:
            answer = batch[0].job.call(batching.join([ticket.job.data for ticket in batch]))
            parts = batching.split(answer, counts)
        except BaseException as error:  # one request may be to blame: each alone, so that only that one fails
            self._run_apart(batch, error, seat)
            return
        finished = monotonic()
        for ticket, part in zip(batch, parts, strict=True):
            ticket.fill(part, started, finished, sum(counts))

    def _check_answer(self, ticket: Any) -> None:
        """Batch no more once an answer was not one value a row: that of a batch might have as many by chance, as the
        list of one array an output that scikit-learn's predict_proba may give."""
        job = ticket.job
        if job.key is not None and ticket.error is None and not batching.is_one_a_row(ticket.value, job.rows):
            self._batches = False

    def _run_apart(self, batch: list[Any], error: BaseException, seat: int) -> None:
        about = {"requests": len(batch), "error": type(error).__name__}
        log.warning("batch_split", extra=about)
        if isinstance(error, batching.Unsplittable):
            self._batches = False  # its answers will never be one a row
        for ticket in batch:
            if ticket.wants_answer():
                self._running[seat] = monotonic()  # each is a call of its own for the watchdog
                ticket.run()
