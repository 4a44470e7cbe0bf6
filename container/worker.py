"""The gunicorn workers: they load and warm up the model before they serve, and tell the supervisor how it fares.

Named in gunicorn_conf.py. LoopWorker, the default, predicts once for all who wait; ThreadedWorker, gunicorn's gthread,
is for handlers that wait on other services. What both have in common is ServingWorker.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
import time
from typing import Any

from gunicorn import util
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

from container import http, resources, status
from container.answers import status_line
from container.errors import Abandoned, DeadlineExceeded, ServingError
from container.exchange import CLAIM, Exchange
from container.lane import TOO_LATE, Lane
from container.loop import Loop, LoopLane
from container.seats import Doors, Seats
from container.settings import Settings
from container.tally import TALLY
from container.thread_lane import ThreadLane

log = logging.getLogger(__name__)

EXIT = status.EXIT_FAILED
LAST_WORDS_S = 3.0  # before the drain is cut off, to say Close
GROWTH_BYTES = 500 * resources.MEGABYTE  # bodies of 25 MB come and go, unpacked to 100 MB, with their arrays


class ServingWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that is ready only after its model answered once."""

    alive: bool
    loaded = False

    def load_wsgi(self) -> None:
        """Load the app and its model; gunicorn calls it in the new process. Any failure is reported, then raised."""
        self.settings = Settings.from_environ()
        self.model: Any = None
        started_s = time.monotonic()
        status.report(self.settings.run_dir, "loading")
        self._may_load_until(started_s + self.settings.startup_timeout_s)
        _reseed()
        TALLY.open(self.settings.run_dir)
        try:
            super().load_wsgi()
            self._start_model()
        except (Exception, SystemExit) as error:
            status.report_failed(self.settings.run_dir, error)
            raise SystemExit(EXIT) from error
        gc.collect()
        gc.freeze()  # a full collection over libraries and model would stop the worker for some 70 ms
        self._report_ready(time.monotonic() - started_s)
        self.loaded = True

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: finish what is in flight. A worker that still loads has nothing and need not go on."""
        if not self.loaded:
            status.report(Settings.from_environ().run_dir, "stopping")
            os._exit(0)
        super().handle_exit(sig, frame)

    def lane(self) -> Lane:
        """The lane that suits how this worker's callers wait."""
        raise NotImplementedError

    @property
    def adapters(self) -> Any:
        """The model's, if it has any."""
        return self.model.adapters if self.model is not None else None

    def beat(self) -> None:
        """Tell gunicorn's master and the supervisor that this worker serves, or end it if it will never again."""
        if self.model is not None and self.model.stuck():
            self.give_up()
        if self.adapters is not None:
            self.adapters.forget_gone()
        super().notify()
        status.report(self.settings.run_dir, "alive" if self.alive else "stopping")
        if self.alive and (reason := self._retirement()):
            status.report(self.settings.run_dir, "retire", reason=reason)

    def give_up(self) -> None:
        """A prediction that hangs in native code cannot be ended in any other way."""
        log.critical("worker_stuck", extra={"watchdog_s": self.settings.watchdog_s})
        os._exit(EXIT)

    def _retirement(self) -> str:
        """Why this worker should be replaced; empty if it should not. It serves on until it is told to go."""
        served = self.model.served if self.model is not None else 0
        if 0 < self.settings.max_requests <= served:
            return f"{served} requests served"
        memory_bytes = resources.resident_bytes()
        if self.adapters is not None and not self.settings.max_worker_memory_mb:
            memory_bytes -= self.adapters.memory_bytes  # ordered, and no leak
        return f"{memory_bytes // resources.MEGABYTE} MB of memory" if memory_bytes > self.memory_bound_bytes else ""

    def _start_model(self) -> None:
        self.model = getattr(self.wsgi, "model", None)
        if self.model is not None:
            self.model.start(self.lane())
            self.model.warm_up()
        if self.adapters is not None:
            self.adapters.load_early()

    def _converses(self) -> bool:
        """Whether it serves WebSockets; what that takes is imported only then."""
        return self.model is not None and self.model.handlers.stream_fn is not None

    def _terms(self, lane: Lane) -> Any:
        from container import frames, lines

        settings = self.settings

        def leave() -> int | None:
            if status.is_draining(settings.run_dir):
                return frames.GOING_AWAY
            return None if self.alive else frames.RESTART

        last_words_s = max(0.0, settings.drain_timeout_s - LAST_WORDS_S)
        return lines.Terms(lane, settings.max_body_bytes, settings.deadline_s, last_words_s, leave)

    def _limits(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "queue_limit": settings.queue_limit,
            "watchdog_s": settings.watchdog_s,
            "max_batch_size": settings.max_batch_size,
            "max_batch_delay_s": settings.max_batch_delay_ms / 1000,
            "max_wait_s": settings.max_wait_s or settings.deadline_s,
        }

    def _may_load_until(self, moment_s: float) -> None:
        """Date the heartbeat ahead, so that gunicorn does not kill a worker that loads for longer than a request may
        take. No thread could beat while native code holds the interpreter."""
        os.utime(self.tmp.fileno(), (moment_s, moment_s))

    def _bound_memory(self) -> int:
        """Note from how much on it retires; returns what it has now."""
        memory_bytes = resources.resident_bytes()
        bound_bytes = self.settings.max_worker_memory_mb * resources.MEGABYTE or 2 * memory_bytes + GROWTH_BYTES
        self.memory_bound_bytes = max(bound_bytes, memory_bytes * 5 // 4)  # else its successor would retire at once
        return memory_bytes

    def _report_ready(self, load_s: float) -> None:
        memory_bytes = self._bound_memory()
        log.info("worker_ready", extra={"load_s": round(load_s, 3), "memory_mb": memory_bytes // resources.MEGABYTE})
        self._may_load_until(time.monotonic())  # it has: from now on it must beat
        status.report(self.settings.run_dir, "ready", memory_bytes=memory_bytes, load_s=load_s)


class LoopWorker(ServingWorker):
    """The default: one thread serves and predicts, a second one watches it."""

    loop_class: Any = Loop
    loop_lane: LoopLane | None = None
    seats: Seats | None  # both set by gunicorn_conf, before the fork
    seat: int

    def lane(self) -> LoopLane:
        self.loop_lane = LoopLane(**self._limits())
        return self.loop_lane

    def run(self) -> None:
        settings = self.settings
        lane = self.loop_lane or self.lane()  # an app of the old style has not asked for one
        doors = Doors([listener.sock for listener in self.sockets], self.seats, self.seat)
        self.loop = self.loop_class(
            doors, self.PIPE[0], self.wsgi, lane,
            deadline_s=settings.deadline_s, limit_bytes=settings.max_body_bytes,
        )  # fmt: skip
        if self._converses():
            from container.loop_line import LoopLines

            self.loop.lines = LoopLines(self._terms(lane), self.loop)
        self.period_s = min(status.HEARTBEAT_S, settings.timeout_s / 20) / 2
        self.watching = threading.Lock()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        try:
            self.loop.run(lambda: self.alive)
        finally:
            self.watching.acquire()  # for good: gunicorn closes the file that the watch beats with

    def handle_quit(self, sig: int, frame: Any) -> None:  # noqa: ARG002
        """End at once. Not by SystemExit, which would come up in whatever runs now, and may be caught there."""
        os._exit(0)

    def handle_abort(self, sig: int, frame: Any) -> None:  # noqa: ARG002
        os._exit(EXIT)

    def _watch(self) -> None:
        """Says what the loop cannot say while a prediction runs: that it lives, and to late requests that they are."""
        beaten_s = 0.0
        while True:
            with self.watching:
                now_s = time.monotonic()
                self._answer_overdue(now_s)
                if self.loop.stuck(self.settings.watchdog_s):
                    self.give_up()
                if now_s - beaten_s >= status.HEARTBEAT_S / 2:
                    beaten_s = now_s
                    self._check_parent()
                    self.beat()
            self._rest()

    def _rest(self) -> None:
        """Until the watch looks again."""
        time.sleep(self.period_s)

    def _answer_overdue(self, now_s: float) -> None:
        for connection, pending in self.loop.overdue(now_s):
            environ = {**pending.environ, CLAIM: pending.claim}
            with connection.last_word, contextlib.suppress(Abandoned):  # the loop was faster
                body, code, headers = Exchange(environ).refuse(DeadlineExceeded(TOO_LATE))
                connection.last_words(http.response(status_line(code), list(headers.items()), body))

    def _check_parent(self) -> None:
        if os.getppid() != self.ppid and self.alive:
            self.alive = False
            os.write(self.PIPE[1], b"1")  # wakes the loop


class ThreadedWorker(ServingWorker, ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread: a thread a request, and lane threads that predict."""

    notified_s = 0.0
    wsgi: Any

    def lane(self) -> ThreadLane:
        self.thread_lane = ThreadLane(threads=self.settings.predict_threads, **self._limits())
        return self.thread_lane

    def _start_model(self) -> None:
        super()._start_model()
        if self._converses():
            from container.thread_line import ThreadLines

            self.wsgi = ThreadLines(self._terms(self.thread_lane)).offered_to(self.wsgi)

    def notify(self) -> None:
        """gunicorn's heartbeat, at each turn of its loop: once a second is enough."""
        if time.monotonic() - self.notified_s >= status.HEARTBEAT_S / 2:
            self.notified_s = time.monotonic()
            self.beat()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """What gunicorn's parser refuses, or a fault outside of app, as problem JSON instead of HTML."""
        given = next((v for k, v in getattr(req, "headers", None) or () if k == "X-REQUEST-ID"), None)
        util.write_nonblock(client, http.refuse(exc, _told_of(exc), given))


def _reseed() -> None:
    """As gunicorn does for `random`: all forks of one process would draw the same numbers, successors too."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _told_of(error: BaseException) -> ServingError:
    """What gunicorn's parser refuses is the client's to change; anything else is a fault of ours."""
    name = type(error).__name__
    if name == "LimitRequestHeaders":
        return http.Refused(431, http.TOO_LARGE)
    if name == "LimitRequestLine":
        return http.Refused(414, http.LINE_TOO_LONG)
    if type(error).__module__.startswith("gunicorn.http"):
        return http.Refused(400, f"The request is not valid HTTP/1.1: {name}.")
    return ServingError(http.FAULT)
