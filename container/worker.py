"""The gunicorn worker: loads and warms up the model before it serves, tells the supervisor how it fares.

Named in gunicorn_conf.py. gunicorn's gthread does the HTTP; the predict lane of the model does the predicting.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from container import resources, status
from container.errors import StartupError, problem
from container.settings import Settings

log = logging.getLogger(__name__)

EXIT = 1  # not gunicorn's own 3 and 4, at which its master ends: the supervisor decides, and says why


class ServingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A gthread worker that is ready only after its model answered once, and that ends when a prediction hangs."""

    loaded = False

    def load_wsgi(self) -> None:
        """Load the app and its model; gunicorn calls it in the new process. Any failure is reported, then raised."""
        self.settings = Settings.from_environ()
        self.model: Any = None
        self.notified_s = 0.0
        started_s = time.monotonic()
        status.report(self.settings.run_dir, "loading")
        self._may_load_until(started_s + self.settings.startup_timeout_s)
        try:
            super().load_wsgi()
            self._start_model()
        except (Exception, SystemExit) as error:
            self._report_failure(error)
            raise SystemExit(EXIT) from error
        self._report_ready(time.monotonic() - started_s)
        self.loaded = True

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: gthread finishes what is in flight. A worker that still loads has nothing and need not go on."""
        if not self.loaded:
            status.report(Settings.from_environ().run_dir, "stopping")
            os._exit(0)
        super().handle_exit(sig, frame)

    def notify(self) -> None:
        """gunicorn's heartbeat, at each turn of its loop: once a second is enough. A hanging prediction ends it."""
        if time.monotonic() - self.notified_s < status.HEARTBEAT_S / 2:
            return
        self.notified_s = time.monotonic()
        if self.model is not None and self.model.stuck():
            log.critical("worker_stuck", extra={"watchdog_s": self.settings.watchdog_s})
            os._exit(EXIT)  # a thread that hangs in native code cannot be ended in any other way
        super().notify()
        status.report(self.settings.run_dir, "alive" if self.alive else "stopping")

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """What gunicorn's parser refuses, or a fault outside of app, as problem JSON instead of HTML."""
        given = next((v for k, v in getattr(req, "headers", None) or () if k == "X-REQUEST-ID"), None)
        request_id = given or uuid.uuid4().hex  # what gunicorn could not parse has no headers
        fault = problem_of(exc)
        about = {"status": fault[0], "request_id": request_id, "error": type(exc).__name__}
        log.warning("request_refused", extra=about, exc_info=exc if fault[0] >= 500 else None)
        body = json.dumps(problem(*fault, request_id)).encode()
        head = f"HTTP/1.1 {fault[0]} {problem(*fault, request_id)['title']}\r\nX-Request-Id: {request_id}\r\n"
        head += f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        util.write_nonblock(client, head.encode("latin-1") + body)

    def _start_model(self) -> None:
        self.model = getattr(self.wsgi, "model", None)
        if self.model is not None:
            self.model.start()
            self.model.warm_up()

    def _may_load_until(self, moment_s: float) -> None:
        """Date the heartbeat ahead, so that gunicorn does not kill a worker that loads for longer than a request may
        take. No thread could beat while native code holds the interpreter."""
        os.utime(self.tmp.fileno(), (moment_s, moment_s))

    def _report_ready(self, load_s: float) -> None:
        memory_bytes = resources.resident_bytes()
        log.info("worker_ready", extra={"load_s": round(load_s, 3), "memory_mb": memory_bytes // resources.MEGABYTE})
        status.report(self.settings.run_dir, "ready", memory_bytes=memory_bytes)

    def _report_failure(self, error: BaseException) -> None:
        phase = error.phase if isinstance(error, StartupError) else "load"
        failure = status.failure_fields(phase, str(error) or type(error).__name__, error.__cause__ or error)
        log.critical("worker_failed", extra={"phase": phase}, exc_info=error)
        status.report(self.settings.run_dir, "failed", failure=failure)


def problem_of(error: BaseException) -> tuple[int, str]:
    """The status and the sentence for a fault that gunicorn found before or after app."""
    name = type(error).__name__
    if name == "LimitRequestHeaders":
        return 431, "The headers are too large. Send fewer or shorter headers."
    if name == "LimitRequestLine":
        return 414, "The request line is too long. Use POST /invocations without a query."
    if type(error).__module__.startswith("gunicorn.http"):
        return 400, f"The request is not valid HTTP/1.1: {name}."
    return 500, "The server failed. The log has more under this request_id."
