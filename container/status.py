"""What the workers tell the supervisor, and what the supervisor concludes: is a request served now?

Workers (worker.py) and gunicorn's master (gunicorn_conf.py) send small JSON datagrams to a socket in the run folder;
the supervisor reads them in its loop. A report never blocks and never fails the sender: without a supervisor, as when
gunicorn is started by hand, it goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import sys
import sysconfig
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from container import resources
from container.errors import StartupError

log = logging.getLogger(__name__)

EXIT_FAILED = 1  # not gunicorn's own 3 and 4, at which its master ends: the supervisor decides, and says why
SOCKET_NAME = "supervisor.sock"
HEARTBEAT_S = 1.0  # gthread's loop turns once a second when idle
SILENCE_S = 3 * HEARTBEAT_S  # a worker that is silent for less may just be idle, however short the timeout
DATAGRAM_LIMIT_BYTES = 64 * 1024
DRAINING = "draining"  # a file of the run folder
DETAIL_LIMIT_CHARS = 8000  # as JSON a character takes up to six bytes of the datagram
PACKAGE_FOLDERS = ("site-packages", "dist-packages")
LIBRARIES = (
    "<frozen",
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *{each for each in sys.path if each.endswith(PACKAGE_FOLDERS)},  # of environments below this one: see installer
)
PATH_LIMIT_BYTES = 100  # sun_path holds 108 on Linux, 104 on macOS: unix(7)


def report(run_dir: Path, state: str, **more: Any) -> None:
    """Tell the supervisor that this process is loading, ready, alive, stopping, failed, or that another is gone."""
    message = json.dumps({"pid": os.getpid(), "state": state, **more}, default=str).encode()
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(message, str(run_dir / SOCKET_NAME))


def open_socket(run_dir: Path) -> socket.socket:
    """The supervisor's end. Raises StartupError where the path is too long for a socket."""
    path = run_dir / SOCKET_NAME
    if len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        raise StartupError("settings", f"{path} is too long for a socket; set SERVING_RUN_DIR to a shorter path")
    path.unlink(missing_ok=True)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    receiver.bind(str(path))
    return receiver


def is_ours(run_dir: Path) -> bool:
    """Whether a run folder may be cleared: it is not there, empty, or was left by a server that was killed."""
    return not run_dir.is_dir() or not any(run_dir.iterdir()) or (run_dir / SOCKET_NAME).is_socket()


def receive(receiver: socket.socket) -> list[dict[str, Any]]:
    """Every report that has arrived, oldest first."""
    reports = []
    with contextlib.suppress(BlockingIOError):
        while True:
            datagram = receiver.recv(DATAGRAM_LIMIT_BYTES)
            if (told := _report(datagram)) is not None:
                reports.append(told)
            else:  # not from us: PID 1 must survive it
                log.warning("unreadable_report", extra={"text": datagram[:200].decode(errors="replace")})
    return reports


def _report(datagram: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(datagram)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("pid"), int) and "state" in told else None


def report_failed(run_dir: Path, error: BaseException) -> None:
    """Log why this process cannot load the model, and tell the supervisor."""
    phase = error.phase if isinstance(error, StartupError) else "load"
    failure = failure_fields(phase, str(error) or type(error).__name__, error.__cause__ or error)
    log.critical("worker_failed", extra={"phase": phase}, exc_info=error)
    report(run_dir, "failed", failure=failure)


def failure_fields(phase: str, message: str, cause: BaseException | None = None) -> dict[str, Any]:
    """What the last log line of a failed start says."""
    fields: dict[str, Any] = {"phase": phase}
    if cause is not None:
        fields["exception"] = type(cause).__name__
        fields["file"] = getattr(cause, "file", "") or place(cause)
    detail = message if len(message) <= DETAIL_LIMIT_CHARS else f"{message[:DETAIL_LIMIT_CHARS]}…"
    return {**fields, "detail": detail, "memory_mb": resources.resident_bytes() // resources.MEGABYTE}


def place(error: BaseException) -> str:
    """FILE:LINE of the innermost frame that is no library's: the line its author can change."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)]
    return next((f"{frame.filename}:{frame.lineno}" for frame in reversed(own or frames)), "")


@dataclass
class Worker:
    """One worker process as it last described itself."""

    state: str
    seen_s: float
    memory_bytes: int = 0


@dataclass
class WorkerBoard:
    """The workers of one gunicorn master. A worker that has been silent for stale_s counts as stuck."""

    stale_s: float
    workers: dict[int, Worker] = field(default_factory=dict)
    failed_loads: int = 0
    """Workers in a row that ended before they were ready."""

    def take(self, message: dict[str, Any], now_s: float) -> None:
        """Note one report. `alive` is a heartbeat: it renews what the worker last said and changes nothing else."""
        pid, state = message["pid"], message["state"]
        known = self.workers.get(pid)
        if state == "gone":
            self._forget(pid)
        elif state in ("alive", "retire"):
            if known is not None:
                known.seen_s = now_s
        else:
            self.workers[pid] = Worker(state, now_s, message.get("memory_bytes", 0))
            self.failed_loads = 0 if state == "ready" else self.failed_loads

    def _forget(self, pid: int) -> None:
        worker = self.workers.pop(pid, None)
        if worker is not None and worker.state in ("loading", "failed"):
            self.failed_loads += 1

    def ready(self, now_s: float) -> list[Worker]:
        """The workers that would serve a request now."""
        return [w for w in self.workers.values() if w.state == "ready" and now_s - w.seen_s <= self.stale_s]

    def memory_bytes(self) -> int:
        """The resident memory of the largest worker, as measured when it had loaded and warmed up."""
        return max((worker.memory_bytes for worker in self.workers.values()), default=0)


def is_draining(run_dir: Path) -> bool:
    """Whether the server is to end, asked by workers with connections that would not end by themselves."""
    return (run_dir / DRAINING).exists()


class Readiness:
    """Two files that nginx looks at: `loading` until all workers have loaded once, `ready` while one would serve; and
    one for workers, at the end."""

    def __init__(self, run_dir: Path) -> None:
        self._loading = run_dir / "loading"
        self._ready = run_dir / "ready"
        self._draining = run_dir / DRAINING
        self._loading.touch()

    def loaded(self) -> None:
        """All workers are ready for the first time: requests pass."""
        self._loading.unlink(missing_ok=True)
        self.set(True)

    def drain(self) -> None:
        """The server is to end."""
        self._draining.touch()
        self.set(False)

    def set(self, ready: bool) -> None:
        """Make /ping 200 or 503, and log a change."""
        if ready == self._ready.exists():
            return
        if ready:
            self._ready.touch()
            log.info("ready")
        else:
            self._ready.unlink()
            log.warning("not_ready")
