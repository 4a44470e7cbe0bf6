"""A server under test, however it was started: what every check asks of it.

Made by a Subject: an image's container, a checkout's process, or an address that somebody else serves.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from local_test.conformance.assertion import Broken, Untestable
from local_test.conformance.wire import ANSWER_LIMIT_BYTES, Answer, NoAnswer, Wire, request_head

T = TypeVar("T")

INVOCATION_LIMIT_S = 60.0  # the platform's, for a whole answer: DG:host
PING_LIMIT_S = 2.0
PING_LIMIT_BYTES = 2**20
START_LIMIT_S = 480.0
LOG_LIMIT_BYTES = 1 << 20  # of the end of a log


@dataclass(frozen=True)
class Setup:
    """How a server is started. The defaults are how the platform starts it."""

    command: tuple[str, ...] = ("serve",)
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = 8080
    """The one it is asked on."""
    model_dir: Path | None = None
    """Mounted at /opt/ml/model."""
    writable_model: bool = False
    mounts: Mapping[str, Path] = field(default_factory=dict)
    """Further folders by their place in the container, followed by :ro or :rw."""
    network: str = ""
    """none, internal (no way out), or container:NAME; empty: an own one."""
    user: str = ""
    read_only: bool = False
    """The root file system; /tmp stays writable."""
    shm_bytes: int = 64 * 2**20
    no_shm: bool = False
    memory_mb: int = 0
    cpus: float = 0.0
    tty: bool = False
    tmpfs: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """How a server ended."""

    code: int
    seconds: float
    """Since it was told to, or since it was waited for."""
    out_of_memory: bool = False


class Server:
    """One running server. Subclasses say how to reach, watch and end it."""

    name = "the server"
    started_s: float
    """time.monotonic() at the start."""
    ready_s: float | None = None
    """Seconds from the start to the first 200 on /ping, once wait_ready has seen it."""
    answer_limit_s = INVOCATION_LIMIT_S
    """How long an answer is waited for where a check says nothing else. See Bench.hurry."""

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    # requests

    def socket(self, timeout_s: float, port: int | None = None) -> socket.socket:
        """A connected TCP socket. Raises OSError."""
        raise NotImplementedError

    def connect(self, timeout_s: float | None = None, port: int | None = None) -> Wire:
        """A connection. Raises NoAnswer."""
        timeout_s = self.answer_limit_s if timeout_s is None else timeout_s
        began_s = time.monotonic()
        try:
            sock = self.socket(timeout_s, port)
        except TimeoutError:
            raise NoAnswer(f"it did not accept the connection within {timeout_s:g} s") from None
        except OSError as error:
            raise NoAnswer(f"the connection failed: {error.strerror or error}") from None
        return Wire(sock, time.monotonic() - began_s, timeout_s)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None, port: int | None = None, limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:  # fmt: skip
        """One request on a connection of its own. Raises NoAnswer."""
        named = {"Connection": "close", **(headers or {})}
        if (body or method == "POST") and "Content-Length" not in named:
            named["Content-Length"] = str(len(body))
        with self.connect(timeout_s, port) as wire:
            wire.send([request_head(method, path, named), body] if body else request_head(method, path, named))
            return wire.answer(method, limit_bytes=limit_bytes)

    def ping(self, timeout_s: float = PING_LIMIT_S) -> Answer:
        return self.request("GET", "/ping", timeout_s=timeout_s, limit_bytes=PING_LIMIT_BYTES)

    def invoke(
        self, body: bytes | object, content_type: str = "application/json",
        headers: Mapping[str, str] | None = None, timeout_s: float | None = None, path: str = "/invocations",
    ) -> Answer:  # fmt: skip
        """POST. What is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, {"Content-Type": content_type, **(headers or {})}, timeout_s)

    def is_ready(self) -> bool:
        """Whether /ping is 200 now."""
        try:
            return self.ping().status == 200
        except NoAnswer:
            return False

    def wait_ready(self, timeout_s: float = START_LIMIT_S) -> float:
        """Wait for the first 200 on /ping: seconds since the start. Raises Broken when it ended, or did not come."""
        while not self.is_ready():
            if (end := self.ended()) is not None:
                memory = ", for want of memory" if end.out_of_memory else ""
                raise Broken(f"it ended with exit code {end.code}{memory} before /ping was 200. {self.last_words()}")
            if time.monotonic() - self.started_s > timeout_s:
                raise Broken(f"/ping was not 200 within {timeout_s:g} s ({self._ping_text()}). {self.last_words()}")
            time.sleep(0.05)
        self.ready_s = time.monotonic() - self.started_s
        return self.ready_s

    def _ping_text(self) -> str:
        try:
            return f"it answered {self.ping()}"
        except NoAnswer as error:
            return str(error)

    # life

    def ended(self) -> End | None:
        """How it ended; None while it runs."""
        raise Untestable("only a server that was started from here can be watched")

    def stop(self, grace_s: float) -> End:
        """SIGTERM, then SIGKILL after grace_s."""
        raise Untestable("only a server that was started from here can be stopped")

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        raise Untestable("only a server that was started from here gets signals")

    def restart(self) -> None:
        """Kill it and start the same container again, with all that it left behind."""
        raise Untestable("only a container can be started again")

    def wait_end(self, timeout_s: float) -> End:
        """Wait until it has ended by itself. Raises Broken if it has not."""
        began_s = time.monotonic()
        return wait_for(self.ended, timeout_s, lambda: f"it still ran after {time.monotonic() - began_s:.0f} s")

    def close(self) -> None:
        """End it at once, if it was started from here."""

    # inside

    def log(self) -> str:
        """The end of stdout and stderr, at most LOG_LIMIT_BYTES."""
        raise Untestable("the log of a server that runs elsewhere cannot be read")

    def timed_log(self) -> list[tuple[float, str]]:
        """The log's lines, each with the second since the epoch at which it came out of the container."""
        raise Untestable("only a container's log says when each line came")

    def last_words(self) -> str:
        """The last line of the log, for a report."""
        lines = [line for line in self.log().splitlines() if line.strip()]
        return f"Its last line: {lines[-1][:300]}" if lines else "Its log is empty."

    def processes(self) -> list[list[str]]:
        """Command lines of the processes that run in it."""
        raise Untestable("processes of a server that runs elsewhere cannot be listed")

    def workers(self) -> list[list[str]]:
        """Command lines of those processes that have no process of their own below them."""
        raise Untestable("processes of a server that runs elsewhere cannot be listed")

    def memory_bytes(self) -> int:
        """What its processes have in memory now."""
        raise Untestable("the memory of a server that runs elsewhere cannot be measured")

    def holdings(self) -> dict[str, int]:
        """How many threads its processes have, and file descriptors where these can be counted."""
        raise Untestable("what a server that runs elsewhere holds cannot be counted")

    def listening_ports(self) -> set[int]:
        """TCP ports that are listened on in its network."""
        raise Untestable("the ports of a server that runs elsewhere cannot be listed")

    def put(self, folder: Path, targets: Sequence[str]) -> None:
        """Copy a folder to places inside it, while it runs. Beside the first copy they are hard links to it."""
        raise Untestable("files can be put only into a container")

    def execute(self, *command: str) -> tuple[int, str]:
        """Exit code and output of a program run inside it."""
        raise Untestable("a program can be run only inside a container")


def wait_for(condition: Callable[[], T | None], timeout_s: float, late: str | Callable[[], str]) -> T:
    """The condition's first value that is true or an object. Raises Broken(late) after timeout_s."""
    end_s = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value is not None and value is not False:
            return value
        if time.monotonic() > end_s:
            raise Broken(late if isinstance(late, str) else late())
        time.sleep(0.05)


def json_of(answer: Answer) -> Any:
    """The body as JSON. Raises Broken."""
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Broken(f"the body is not JSON: {answer}") from None
