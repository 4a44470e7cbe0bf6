"""gunicorn's configuration, made from the settings. Loaded by gunicorn: -c python:container.gunicorn_conf

The names below are gunicorn's own settings. The number of workers comes from the supervisor's command line.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
from typing import Any

from gunicorn.glogging import Logger

from container import logs, preload, status
from container.seats import Seats, address
from container.settings import Settings

settings = Settings.from_environ()
logs.configure(settings.log_level)


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's events through our JSON handler; from warning up, since our own events tell the rest."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(max(settings.log_level, logging.WARNING))

    def access(self, *_: Any) -> None:
        """app logs the request line, with what only it knows."""


seats = Seats(max(1, settings.workers))  # the supervisor has put in how many there will be
bind = [f"unix:{address(settings.run_dir, seat)}" for seat in range(seats.count)]
worker_class = f"container.worker.{'ThreadedWorker' if settings.threaded else 'LoopWorker'}"
# A few more, so that a full queue is answered at once; one a WebSocket. Only as many are started as are used.
threads = settings.predict_threads + settings.queue_limit + settings.socket_limit + 4
timeout = math.ceil(max(settings.watchdog_s, status.SILENCE_S))
graceful_timeout = math.ceil(settings.drain_timeout_s)
keepalive = 0  # a kept connection that closes as nginx uses it would lose a request: gunicorn issue 3038
logger_class = QuietLogger
control_socket_disable = True  # it would be one more open door, and writes outside the run folder
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(settings.run_dir)  # noqa: S108 - memory, not disk
limit_request_line = 0  # nginx has held it to 16 KB; gunicorn takes no number over 8190
limit_request_field_size = 16 * 1024
limit_request_fields = 256
forwarded_allow_ips = "*"  # only nginx reaches the socket
secure_scheme_headers: dict[str, str] = {}  # no use here, and X-Forwarded-Proto beside -Ssl was a 400


def on_starting(server: Any) -> None:
    """Runs in the master before it listens."""
    if preload.wanted(settings):
        try:
            preload.load(server.app)
        except (Exception, SystemExit) as error:
            status.report_failed(settings.run_dir, error)
            raise SystemExit(status.EXIT_FAILED) from error


def on_reload(server: Any) -> None:
    """Runs in the master after SIGHUP, before it starts new workers."""
    preload.forget(server.app, settings)


def pre_fork(server: Any, worker: Any) -> None:
    """Runs in the master before each worker is made."""
    worker.seats, worker.seat = seats, seats.assign(other.seat for other in server.WORKERS.values())


def child_exit(server: Any, worker: Any) -> None:
    """Runs in the master when it has reaped a worker, however that ended."""
    status.report(settings.run_dir, "gone", pid=worker.pid)
    seats.leave(worker.pid)
    for pid in server.WORKERS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGWINCH)  # wakes a worker that idles, so that it serves the vacant seat
