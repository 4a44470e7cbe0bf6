"""One contestant as a running server: started, asked until it answers rightly, watched, stopped with all its children.

Used by races and growth.
"""

from __future__ import annotations

import http.client
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.contestants import Peer, python_of
from bench.environments import BUILD_DIR, PROJECT_DIR
from bench.processes import family
from bench.slots import Form, read_answer
from local_test.conformance.ports import free_port

PEERS_DIR = Path(__file__).absolute().parent / "peers"
ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
ASK_AGAIN_S = 0.005
NO_TELEMETRY = {"DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True"}


class Failed(RuntimeError):
    """The server did not do what a contestant must; the text says what and where its log is."""


class Running:
    """A server as a child process inside the `with` block; nothing of it is left after the block."""

    def __init__(self, peer: Peer, model_dir: Path, workers: int, env: Mapping[str, str] | None = None) -> None:
        self.peer = peer
        self.port = peer.port or free_port()
        self.tag = f"BENCH_TAG={peer.name}-{os.getpid()}-{time.monotonic_ns()}"
        self.run_dir = BUILD_DIR / "run" / peer.name
        self.log_path = self.run_dir / "log"
        self.log_name = self.log_path.relative_to(PROJECT_DIR)
        python = python_of(peer, BUILD_DIR)
        self.values = {"python": python, "bin": python.parent, "peers": PEERS_DIR, "port": self.port,
                       "workers": workers, "model_dir": model_dir, "run_dir": self.run_dir}  # fmt: skip
        self.more_env = env or {}

    def __enter__(self) -> Running:
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.run_dir.mkdir(parents=True)
        words = [word.format(**self.values) for word in shlex.split(self.peer.command)]
        self.started_s = time.perf_counter()
        with self.log_path.open("wb") as log:
            # A session of its own: Ctrl-C reaches the benchmark alone, which then stops the server in order.
            self.process = subprocess.Popen(
                words, cwd=PROJECT_DIR if not self.peer.environment else self.run_dir, env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with _undisturbed():
            self._signal({self.process.pid}, signal.SIGTERM)
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self._gone(STOP_TIMEOUT_S):
                    return
                self._signal(self.pids(), number)
            self._gone(STOP_TIMEOUT_S)

    def _environment(self) -> dict[str, str]:
        name, _, value = self.tag.partition("=")
        values = {key: str(each) for key, each in self.values.items()}
        env = {**os.environ, **NO_TELEMETRY, name: value, "HOME": values["run_dir"]}
        env |= {key.upper(): values[key] for key in ("port", "workers", "model_dir", "run_dir")}
        env |= {"ARTIFACT": Path(values["model_dir"]).name, "PATH": f"{values['bin']}:{os.environ['PATH']}"}
        env["PYTHONPATH"] = str(PEERS_DIR / "common" if self.peer.environment else PROJECT_DIR)
        return {**env, **{key: text.format(**values) for key, text in self.peer.env.items()}, **self.more_env}

    def pids(self) -> set[int]:
        """Every process of the server."""
        return family(self.process.pid, self.tag)

    def wait_ready(self, timeout_s: float = 120.0) -> float:
        """Wait for the first 200 on the ping path; seconds since the start. Raises Failed."""
        self._until(lambda: self.ask("GET", self.peer.ping)[0] == 200, timeout_s, f"no 200 on {self.peer.ping}")
        return time.perf_counter() - self.started_s

    def wait_answer(self, form: Form, body: bytes, expected: Any) -> float:
        """Wait for the first 200, which must be right; seconds since the start. Raises Failed."""
        last: list[tuple[int, bytes]] = []

        def answered() -> bool:
            last[:] = [self.ask("POST", form.path, body, form.headers)]
            return last[0][0] == 200

        self._until(answered, ANSWER_TIMEOUT_S, "no good answer", last)
        took_s = time.perf_counter() - self.started_s
        self._compare(form, last[0][1], expected)
        return took_s

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one answer on a new connection. Raises OSError and HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _compare(self, form: Form, body: bytes, expected: Any) -> None:
        try:
            given = read_answer(form.answer, body)
        except (ValueError, LookupError, TypeError) as error:
            raise Failed(f"{self.peer.name} answered {body[:200]!r}, which is not {form.answer}: {error}") from error
        if given != expected:
            raise Failed(f"{self.peer.name} answered {str(given)[:200]}, right is {str(expected)[:200]}")

    def _until(self, done: Callable[[], bool], timeout_s: float, what: str, last: list[Any] | None = None) -> None:
        end = time.perf_counter() + timeout_s
        while time.perf_counter() < end:
            if self.process.poll() is not None:
                raise Failed(f"{self.peer.name} ended with code {self.process.returncode}; see {self.log_name}")
            with suppress(OSError, http.client.HTTPException):  # not there yet
                if done():
                    return
            time.sleep(ASK_AGAIN_S)
        told = f", but {str(last[0])[:300]}" if last else ""
        raise Failed(f"{self.peer.name}: {what} in {timeout_s:g} s{told}; see {self.log_name}")

    def _gone(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while self.process.poll() is None or self.pids():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    @staticmethod
    def _signal(pids: set[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave half a server behind: it waits until the first is done."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
