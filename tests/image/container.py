"""One container of the image under test: started with the platform's restrictions, asked over HTTP, checked at its end.

Used through the fixtures of conftest.py. The requests and their checks are those of the system tests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.client import Client, wait_until

HARDENED = (
    *("--read-only", "--tmpfs=/tmp", "--ipc", "none", "--memory", "1g", "--memory-swap", "1g"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "12345:12345"),
)
"""The narrowest of all places the image may come to: serverless, network isolation, an admin who trusts nobody."""

AS_PLATFORM = ("--memory", "2g")
"""Root with docker's own defaults, as a real-time endpoint runs it."""

LOOK_EVERY_S = 1.0  # docker inspect costs more than a ping

CLIENT = """
import sys, urllib.error, urllib.request
url, content_type = sys.argv[1:]
body = sys.stdin.buffer.read() or None
request = urllib.request.Request(url, body, {"Content-Type": content_type} if body else {})
try:
    answer = urllib.request.urlopen(request, timeout=60)
except urllib.error.HTTPError as error:
    answer = error
except urllib.error.URLError:
    sys.exit(print("0 refused"))
sys.stdout.buffer.write(b"%d " % answer.status + answer.read())
"""


def docker(*words: object, stdin: bytes | None = None, timeout_s: float = 120) -> str:
    """Run docker and return its stdout. AssertionError with its stderr when it fails."""
    command = ["docker", *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()}{done.stdout.decode()}"
    return done.stdout.decode()


class Container(Client):
    """A running container. Its close() asserts that its log holds no alarm that the test did not expect."""

    def __init__(
        self,
        image: str,
        *,
        model_dir: Path | None = None,
        command: tuple[str, ...] = ("serve",),
        options: tuple[str, ...] = HARDENED,
        env: Mapping[str, str] | None = None,
        port: int = 8080,
        network: str = "bridge",
        expect: tuple[str, ...] = (),
    ) -> None:
        """port: what it listens on. expect: patterns of log lines that would otherwise fail close()."""
        self.name = f"serving-test-{uuid.uuid4().hex[:12]}"
        self.expected, self.inner_port = expect, port
        words = ["run", "-d", "--name", self.name, "--network", network, *options]
        words += [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        words += ["-v", f"{model_dir}:/opt/ml/model:ro"] if model_dir else []
        words += ["-p", f"127.0.0.1::{port}"] if network == "bridge" else []
        self.started_s = time.monotonic()
        docker(*words, image, *command)
        super().__init__(self._published_port() if network == "bridge" and self.running else 0)

    def _published_port(self) -> int:
        return int(docker("port", self.name, self.inner_port).split(":")[-1])

    # conditions

    @property
    def running(self) -> bool:
        return self.state["Running"] is True

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(docker("inspect", "-f", "{{json .State}}", self.name))
        return state

    def is_ready(self) -> bool:
        """Whether /ping is 200 now, asked from outside where a port is published, else from inside."""
        return super().is_ready() if self.port else self.inside("/ping")[0] == 200

    def wait_ready(self, timeout_s: float = 60) -> float:
        """Wait for the first 200 on /ping; the seconds since the start. Fails at once when the container has ended."""

        looked_s = time.monotonic()

        def ready() -> bool:
            nonlocal looked_s
            if self.is_ready():
                return True
            if time.monotonic() - looked_s > LOOK_EVERY_S:
                assert self.running, f"ended with exit code {self.state['ExitCode']} before it was ready"
                looked_s = time.monotonic()
            return False

        wait_until(ready, timeout_s, "/ping is 200")
        return time.monotonic() - self.started_s

    # inside

    def execute(self, *command: str, stdin: bytes | None = None) -> str:
        """The stdout of a program run in the container."""
        return docker("exec", "-i", self.name, *command, stdin=stdin)

    def inside(self, path: str, body: bytes = b"", content_type: str = "text/csv") -> tuple[int, bytes]:
        """Status and body of a request made inside the container, for those without a network. Status 0: refused."""
        url = f"http://127.0.0.1:{self.inner_port}{path}"
        status, _, answer = self.execute("python", "-c", CLIENT, url, content_type, stdin=body).partition(" ")
        return int(status), answer.encode()

    def listening(self) -> set[tuple[str, int]]:
        """Address (as hexadecimal) and port of each listening TCP socket in the container's network."""
        text = self.execute("sh", "-c", "cat /proc/net/tcp /proc/net/tcp6")
        rows = [line.split() for line in text.splitlines() if "local_address" not in line]
        listening = [row[1].rpartition(":") for row in rows if row[3] == "0A"]  # TCP_LISTEN, net/tcp_states.h
        return {(address, int(port, 16)) for address, _, port in listening}

    # log

    def log(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        return done.stdout

    def log_events(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        return [each for each in map(parsed, self.log().splitlines()) if each.get("event") == event]

    # end

    def stop(self, timeout_s: int = 30) -> tuple[int, float]:
        """`docker stop`: exit code and seconds. 137 means that it had to be killed."""
        sent_s = time.monotonic()
        docker("stop", "-t", timeout_s, self.name)
        return self.state["ExitCode"], time.monotonic() - sent_s

    def wait_exit(self, timeout_s: float) -> int:
        """The exit code; fails when the container still runs after timeout_s."""
        return int(docker("wait", self.name, timeout_s=timeout_s))

    def close(self) -> None:
        """Remove the container; assert that memory sufficed and the log holds no alarm. Prints the log."""
        log, state = self.log(), self.state
        docker("rm", "-f", "-v", self.name)
        self.close_client()
        sys.stdout.write(log)
        assert not state["OOMKilled"], "killed for its memory"
        unexpected = [line for line in log.splitlines() if is_alarming(line) and not self._is_expected(line)]
        assert unexpected == []

    def _is_expected(self, line: str) -> bool:
        return any(re.search(pattern, line) for pattern in self.expected)


def parsed(line: str) -> dict[str, Any]:
    """A JSON log line; {} for what is none, as user code may print anything."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def is_alarming(line: str) -> bool:
    """A traceback in whatever form, or what nginx calls alert or emerg and we critical."""
    event = parsed(line)
    return "traceback" in event or event.get("level") == "critical" or line.startswith("Traceback (most recent call")


def buildkit_environment() -> dict[str, str]:
    """BuildKit where the client has it, built in or as buildx: it runs both stages at once."""
    has_buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
    client_major = int(docker("version", "-f", "{{.Client.Version}}").split(".")[0])
    return {**os.environ, "DOCKER_BUILDKIT": "1" if has_buildx or client_major < 23 else "0"}
