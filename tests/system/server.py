"""Starts the real server (supervisor, nginx, gunicorn) from a staged program folder and watches it, for system tests.
Used through the fixture `serve` in conftest.py. Its close() asserts what must hold at the end of every server's life.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil

from local_test.conformance.ports import free_port
from tests.system.client import Client, wait_until
from tests.system.processes import AS_INIT, children, listening_ports, open_connections, processes_in
from tests.system.replies import Reply

ROOT = Path(__file__).absolute().parents[2]
PROGRAM = ("container", "serve", "wsgi.py", "nginx.conf")
STOP_LIMIT_S = 25.0  # the platform kills 30 s after SIGTERM
OBEDIENT = (Path(__file__).parent / "obedient.py").read_text()


def own_terminal() -> None:
    """Make stdin the terminal that this process hears of when it is closed."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Server(Client):
    """One server process, its program folder, its log. Start with start(), end with close()."""

    def __init__(
        self,
        *,
        predictor: str = OBEDIENT,
        model_dir: Path | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        expect: tuple[str, ...] = (),
        port: int | None = None,
        as_init: bool = False,
        terminal: int | None = None,
    ) -> None:
        """files: more texts for the program folder. expect: patterns of log lines that would otherwise fail close().
        as_init: orphans become children of the server, as those of PID 1 do (Linux).
        terminal: the descriptor of one that the server is started in, as its stdin."""
        super().__init__(port or free_port())
        self.folder = Path(tempfile.mkdtemp(prefix="srv-", dir="/tmp")).resolve()  # short, for sockets
        self.program_dir, self.gates = self.folder / "program", self.folder / "gates"
        self.log_path = self.folder / "log"
        self.run_dir = self.folder / f"serving-{os.getuid()}-{self.port}"
        self.expected = list(expect)
        self.terminal = terminal
        self.command = [sys.executable, *(("-c", AS_INIT) if as_init else ()), "-m", "container", "serve"]
        self._stage(model_dir, {**(files or {}), "predictor.py": predictor})
        self.env = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.folder),  # so that the run folder has its default name, in a folder of this test
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
            "SAGEMAKER_BASE_DIR": str(self.folder / "ml"),
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "GATES": str(self.gates),
            **(env or {}),
        }

    def _stage(self, model_dir: Path | None, files: Mapping[str, str]) -> None:
        self.program_dir.mkdir()
        self.gates.mkdir()
        (self.folder / "ml").mkdir()
        for name in PROGRAM:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, self.program_dir / name)
        for name, text in files.items():
            self.write_program(name, text)
        if model_dir is None:
            (self.folder / "ml" / "model").mkdir()
        else:
            (self.folder / "ml" / "model").symlink_to(model_dir)

    def write_program(self, name: str, text: str) -> None:
        """Put a file into the program folder, as who edits a running server's code does."""
        (self.program_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (self.program_dir / name).write_text(text)

    def start(self) -> Server:
        """Start the server process; again after it has ended."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.program_dir,
                env=self.env,
                stdin=subprocess.DEVNULL if self.terminal is None else self.terminal,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=None if self.terminal is None else own_terminal,
            )
        self.started_s = time.monotonic()
        return self

    # conditions

    def wait_ready(self, timeout_s: float = 20) -> float:
        """Wait for the first 200 on /ping; the seconds since start(). Fails at once when the server has ended."""

        def ready() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode} before it was ready"
            return self.is_ready()

        wait_until(ready, timeout_s, "/ping is 200")
        return time.monotonic() - self.started_s

    def wait_serving(self, timeout_s: float) -> Reply:
        """Wait until /invocations answers 200 again."""

        def answered() -> Reply | None:
            try:
                reply = self.invoke({"do": "echo"})
            except OSError:  # refused or reset while something is restarted
                return None
            return reply if reply.status == 200 else None

        reply = wait_until(answered, timeout_s, "/invocations answers 200")
        assert reply is not None
        return reply

    def wait_gate(self, name: str, timeout_s: float = 10) -> int:
        """Wait until user code has come to gate(name), see obedient.py; the pid of its worker."""
        wait_until((self.gates / f"{name}.reached").exists, timeout_s, f"user code reaches gate {name}")
        return int((self.gates / f"{name}.reached").read_text())

    def open_gate(self, name: str) -> None:
        """Let user code pass gate(name)."""
        (self.gates / name).touch()

    def hold_request(self, name: str, **more: Any) -> Future[Reply]:
        """A request whose prediction has begun and goes on until open_gate(name)."""
        future = self.invoke_later({"do": "wait", "gate": name, **more})
        self.wait_gate(name)
        return future

    # log

    def log_events(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log so far, or its lines of one event. Fails at a line that is no JSON object."""
        events = []
        for line in self.log_path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):  # else it is still being written
                events.append(_parsed(line))
        return [each for each in events if event is None or each["event"] == event]

    def wait_event(self, event: str, timeout_s: float = 10, count: int = 1) -> dict[str, Any]:
        """The count-th line of an event, awaited."""
        wait_until(lambda: len(self.log_events(event)) >= count, timeout_s, f"log event {event}")
        return self.log_events(event)[count - 1]

    # processes

    def pids(self, role: str) -> list[int]:
        """Pids now of: nginx_master, nginx_worker, gunicorn_master, gunicorn_worker."""
        program, _, level = role.partition("_")
        masters = children(self.process.pid, program)
        return masters if level == "master" else [pid for master in masters for pid in children(master)]

    def pid(self, role: str) -> int:
        """The one pid of a role."""
        (pid,) = self.pids(role)
        return pid

    def connections(self) -> int:
        """Client connections that nginx has accepted and that are open now."""
        return sum(open_connections(pid, self.port) for pid in self.pids("nginx_worker"))

    def listening_ports(self) -> set[int]:
        """The TCP ports that any process of the server listens on."""
        return {port for process in self.left_processes() for port in listening_ports(process)}

    # end

    def wait_exit(self, timeout_s: float) -> int:
        """The exit code; fails when the server still runs after timeout_s."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout_s:g} s") from None

    def stop(self, signum: int = signal.SIGTERM, timeout_s: float = STOP_LIMIT_S) -> tuple[int, float]:
        """Send a signal and wait for the end: exit code and seconds."""
        sent_s = time.monotonic()
        self.process.send_signal(signum)
        return self.wait_exit(timeout_s), time.monotonic() - sent_s

    def kill_all(self) -> None:
        """kill -9 everything at once, as the end of a container does."""
        self.process.kill()
        self.process.wait()
        for process in self.left_processes():
            process.kill()
        wait_until(lambda: not self.left_processes(), 5, "no process is left")

    def left_processes(self) -> list[psutil.Process]:
        """Every process that works in our folders: the server's own and whatever it left behind. nginx's are in its
        run folder."""
        return processes_in(self.program_dir, self.run_dir)

    def close(self) -> None:
        """End the server if it runs; assert that it ended well and left nothing. Prints the log for a failed test."""
        try:
            if self.process.poll() is None:
                code, _ = self.stop()
                assert code == 0, f"exit {code} after SIGTERM"
            self._assert_nothing_left()
            self._assert_log()
        finally:
            self.close_client()
            self.kill_all()
            sys.stdout.write(self.log_path.read_text())
            shutil.rmtree(self.folder)

    def _assert_nothing_left(self) -> None:
        wait_until(lambda: not self.left_processes(), 1, "no process is left")  # a killed one takes a moment to go
        assert not self.run_dir.exists()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT are no listener
            probe.bind(("", self.port))

    def _assert_log(self) -> None:
        alarming = [json.dumps(event) for event in self.log_events() if _is_alarming(event)]
        assert [line for line in alarming if not any(re.search(each, line) for each in self.expected)] == []


def _is_alarming(event: dict[str, Any]) -> bool:
    """A traceback, or what nginx calls alert or emerg and we critical."""
    return "traceback" in event or event["level"] == "critical"


def _parsed(line: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
        assert event.keys() >= {"time", "level", "event"}
    except (ValueError, AttributeError, AssertionError):
        raise AssertionError(f"no JSON log line: {line!r}") from None
    return event
