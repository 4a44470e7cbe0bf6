"""PID 1: starts nginx and gunicorn, keeps /ping true, restarts, drains, reaps; exits with the code of what died.

Called by `serve` and by `python -m container serve`. Never imports Flask, numpy or user code, so none of them can take
it down. One loop waits for signals, reports of workers and lines of nginx's log; everything happens in it.

Policy: a child that dies before the server was ready ends the start. One that dies later is restarted, three times
in five minutes; then the container ends, so that the platform replaces it. The exit code is that of the child, or 128
and the signal's number; a crash is never 0. TERM, INT and QUIT drain; a second one ends at once. HUP reloads code and
model, unless it says that the terminal is gone.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import shutil
import signal
import time
from collections.abc import Iterable
from typing import Any

from container import body_files, logs, nginx, status
from container.children import Child, exit_code
from container.errors import StartupError
from container.exposition import Exposition
from container.programs import Programs
from container.settings import Settings
from container.workforce import Workforce

log = logging.getLogger("supervisor")

TICK_S = 1.0
TIDY_S = 2.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
KILL_AFTER_S = 2.0  # for a stop before the server was ready: there is nothing to finish
SLOW_START = (
    "{ready} of {wanted} workers were ready after {limit:g} s; "
    "raise SAGEMAKER_STARTUP_TIMEOUT or make the model load faster"
)
SLOW_INSTALL = (
    "the artifact's requirements were not installed after {limit:g} s; raise SAGEMAKER_STARTUP_TIMEOUT, or build them "
    "in: make image MODEL=model.tar.gz"
)


def main() -> int:
    """Serve until a stop signal or a fault; returns the exit code."""
    started_s = time.monotonic()
    logs.configure(logging.INFO)
    try:
        settings = Settings.from_environ()
        logs.configure(settings.log_level)
        settings.log_all()
        return Supervisor(settings, started_s).run()
    except StartupError as error:
        log.critical(
            "startup_failed",
            extra={**status.failure_fields(error.phase, str(error), error), "code": 1, "elapsed_s": _since(started_s)},
        )
        return 1


class Supervisor:
    """The server's life: run -> start -> watch -> drain -> stop."""

    def __init__(self, settings: Settings, started_s: float) -> None:
        self.settings = settings
        self.started_s = started_s
        self.state = "loading"  # then serving, draining, stopping
        self.deadline_s = started_s + settings.startup_timeout_s
        self.served = False
        self.failure: dict[str, Any] | None = None
        self.exit_code: int | None = None
        self.workforce = Workforce(settings)
        self.selector = selectors.DefaultSelector()
        self.nginx_text = ""
        self.wakeup = os.pipe()
        self.tidy_s = started_s
        self.children: Iterable[Child] = ()

    def run(self) -> int:
        """Start both children and serve the loop until both have ended."""
        nginx.check_port(self.settings)  # before the run folder is cleared: it may be that of a server on this port
        self._prepare_run_dir()
        try:
            self._listen()
            self._prepare_children()
            for child in (self.installer or self.gunicorn, self.nginx):
                self._start(child)
            while any(child.process for child in self.children):
                self._wait()
                self._check_workers()
                self._check_deadline()
                self._tell_metrics()
                self._tidy()
        finally:
            self._kill()
            shutil.rmtree(self.settings.run_dir, ignore_errors=True)
        return self._exit()

    def _exit(self) -> int:
        """The last log line: why it failed, or that it ended as asked."""
        end = {"code": self.exit_code or 0, "elapsed_s": self._elapsed_s()}
        if self.failure is not None:
            log.critical("failed" if self.served else "startup_failed", extra={**self.failure, **end})
        else:
            log.info("exit", extra=end)
        return self.exit_code or 0

    # start

    def _prepare_run_dir(self) -> None:
        run_dir = self.settings.run_dir
        try:
            if not status.is_ours(run_dir):
                raise StartupError("settings", f"{run_dir} holds other files; set SERVING_RUN_DIR to an empty folder")
            shutil.rmtree(run_dir, ignore_errors=True)  # a killed server leaves a socket and a readiness file behind
            run_dir.mkdir(mode=0o700, parents=True, exist_ok=run_dir.is_mount())
        except OSError as error:
            raise StartupError(
                "settings", f"cannot create {run_dir}: {error}; set SERVING_RUN_DIR, or mount a writable /tmp"
            ) from error
        self.readiness = status.Readiness(run_dir)
        self.metrics = Exposition(run_dir)
        self._tell_metrics()

    def _listen(self) -> None:
        for end in self.wakeup:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        for signum in (*STOP_SIGNALS, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)  # the wake-up pipe brings its number to the loop
        self.reports = status.open_socket(self.settings.run_dir)
        self.selector.register(self.wakeup[0], selectors.EVENT_READ, self._take_signals)
        self.selector.register(self.reports, selectors.EVENT_READ, self._take_reports)

    def _prepare_children(self) -> None:
        self.workforce.tell()
        self.children = self.programs = Programs.of(self.settings, self.workforce)
        self.gunicorn, self.nginx, self.installer = self.programs.gunicorn, self.programs.nginx, self.programs.installer
        self.workforce.gunicorn = self.gunicorn

    def _start(self, child: Child) -> None:
        if child is self.gunicorn:
            self.workforce.started()
        child.start(*(("--workers", str(self.workforce.wanted)) if child.name == "gunicorn" else ()))
        if child.stderr is not None:
            os.set_blocking(child.stderr.fileno(), False)
            self.selector.register(child.stderr, selectors.EVENT_READ, self._take_nginx_lines)

    # the loop

    def _wait(self) -> None:
        for key, _ in self.selector.select(TICK_S):
            key.data(key.fileobj)

    def _take_signals(self, _fileobj: Any) -> None:
        for number in os.read(self.wakeup[0], 64):
            if number == signal.SIGCHLD:
                self._reap()
            elif number == signal.SIGHUP and not _terminal_is_gone():
                self._reload()
            else:
                self._stop_requested(signal.Signals(number))

    def _take_reports(self, _fileobj: Any) -> None:
        for message in status.receive(self.reports):
            if message["state"] == "ready":
                self.metrics.load_s = message.get("load_s", 0.0)
            elif message["state"] == "gone":
                self.metrics.exits["worker"] += 1
            self.workforce.take(message, serving=self.state == "serving")

    def _take_nginx_lines(self, pipe: Any) -> None:
        if pipe.closed:  # by _take_last_words, in the same turn of the loop
            return
        data = pipe.read()  # None when there is nothing to read, empty when nginx and its workers are gone
        for line in (data or b"").decode(errors="replace").splitlines():
            self.nginx_text = nginx.log_line(line, self.metrics.add)
        if data == b"":
            self.selector.unregister(pipe)
            pipe.close()

    # readiness

    def _check_workers(self) -> None:
        if self.state not in ("loading", "serving"):
            return
        workforce, loading = self.workforce, self.state == "loading"
        ready = workforce.ready()
        if workforce.is_hopeless(ready, loading=loading):
            self._fail(workforce.failure())
        elif not loading:
            self.readiness.set(ready > 0)
            workforce.adjust(ready)
        elif workforce.is_complete(ready):
            self.state, self.served, workforce.reported = "serving", True, None
            self.readiness.loaded()
            log.info("serving", extra={"workers": ready, "port": self.settings.port, "elapsed_s": self._elapsed_s()})

    def _tell_metrics(self) -> None:
        self.metrics.write(self.workforce.known, self.workforce.ready())

    def _tidy(self) -> None:
        """Remove bodies that nginx cannot remove any more, since it was killed."""
        if time.monotonic() >= self.tidy_s:
            self.tidy_s = time.monotonic() + TIDY_S
            if left_bytes := body_files.remove_left(self.settings.run_dir):
                log.warning("bodies_removed", extra={"bytes": left_bytes})

    # the end of a child

    def _reap(self) -> None:
        """Reap every child that ended, ours or an orphan that the kernel gave to PID 1."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self.children:
                if child.pid == pid:
                    self._take_last_words(child)
                    child.reaped(os.waitstatus_to_exitcode(wait_status))
                    self._ended(child, pid, exit_code(wait_status))

    def _take_last_words(self, child: Child) -> None:
        """Why it ended was said before it ended, but may not have been read yet."""
        self._take_reports(None)
        if child.stderr is not None and not child.stderr.closed:
            self._take_nginx_lines(child.stderr)

    def _ended(self, child: Child, pid: int, code: int) -> None:
        if child is self.installer and code == 0 and self.state == "loading":
            self.programs.use_packages(self.settings)
            self._start(self.gunicorn)
            return
        self.metrics.exits[child.name] += 1
        restart = self.state == "serving" and child.may_restart(time.monotonic())
        # What is left of nginx may finish its requests while a new one takes the port; gunicorn's workers are cut off.
        child.send_group(signal.SIGQUIT if restart and child is self.nginx else signal.SIGKILL, pid)
        if child is self.gunicorn:
            self.workforce.lost()
        if restart:
            log.error("restart", extra={"program": child.name, "code": code})
            self._start(child)
        elif self.state in ("draining", "stopping"):
            self._stop_next(child)
        else:
            self._give_up(child, code)

    def _give_up(self, child: Child, code: int) -> None:
        said = self.nginx_text if child is self.nginx else ""
        detail = f"{child.name} ended with code {code}. {said}".rstrip()
        self._fail(self.workforce.reported or status.failure_fields(child.name, detail), code or 1)

    def _fail(self, failure: dict[str, Any], code: int = 1) -> None:
        """Remember why, for the last log line, and end."""
        self.failure, self.exit_code = failure, code
        self._kill()

    # stop

    def _reload(self) -> None:
        log.info("reload", extra={"state": self.state})
        if self.state == "serving":
            self.workforce.reload()

    def _stop_requested(self, signum: signal.Signals) -> None:
        log.info("stop", extra={"signal": signum.name, "state": self.state})
        if self.state == "serving":
            self._drain()
        elif self.state == "loading":
            self._terminate()
        else:
            self.exit_code = 128 + signum
            self._kill()

    def _drain(self) -> None:
        """Flip /ping, let nginx finish what it has accepted, then gunicorn; _stop_next and _check_deadline go on."""
        self.state = "draining"
        self.deadline_s = time.monotonic() + self.settings.drain_timeout_s
        self.readiness.drain()
        self.nginx.send(signal.SIGQUIT)

    def _terminate(self) -> None:
        self.state = "stopping"
        self.deadline_s = time.monotonic() + KILL_AFTER_S
        for child in self.children:
            child.send(signal.SIGTERM)

    def _stop_next(self, child: Child) -> None:
        if child is self.nginx:
            self.gunicorn.send(signal.SIGTERM)
        elif self.state == "draining":
            self.nginx.send(signal.SIGTERM)  # gunicorn went first: there is nobody left to answer

    def _check_deadline(self) -> None:
        if time.monotonic() < self.deadline_s or self.state == "serving":
            return
        if self.state == "loading":
            self._fail(self._slow_start())
        elif self.state == "draining":
            log.warning("drain_timeout", extra={"drain_timeout_s": self.settings.drain_timeout_s})
        self._kill()

    def _slow_start(self) -> dict[str, Any]:
        limit_s = self.settings.startup_timeout_s
        if self.installer is not None and self.installer.process:
            return status.failure_fields("requirements", SLOW_INSTALL.format(limit=limit_s))
        ready, wanted = self.workforce.ready(), self.workforce.wanted
        return status.failure_fields("load", SLOW_START.format(ready=ready, wanted=wanted, limit=limit_s))

    def _kill(self) -> None:
        """End what is left at once, workers included; the loop reaps it."""
        self.state = "stopping"
        for child in self.children:
            if child.pid is not None:
                child.send_group(signal.SIGKILL, child.pid)

    def _elapsed_s(self) -> float:
        return _since(self.started_s)


def _terminal_is_gone() -> bool:
    """Whether the terminal that this ran in was closed: that is a SIGHUP too, and nobody is left to stop the server."""
    for fileno in (0, 1):
        try:
            os.tcgetpgrp(fileno)
        except OSError as error:
            if error.errno == errno.EIO:  # ENOTTY: it never was a terminal
                return True
    return False


def _since(moment_s: float) -> float:
    return round(time.monotonic() - moment_s, 3)
