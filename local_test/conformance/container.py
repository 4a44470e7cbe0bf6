"""A server in a container: how it is asked, watched and ended. Made by subjects.Image through engine.Engine."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions

from local_test.conformance import namespace
from local_test.conformance.archives import pack
from local_test.conformance.assertion import Untestable
from local_test.conformance.engine import CannotStart, Engine
from local_test.conformance.server import LOG_LIMIT_BYTES, End, Server, Setup


class Container(Server):
    """A server in a container, asked at its address in its own network."""

    def __init__(self, engine: Engine, image: str, setup: Setup, **more: Any) -> None:
        self.setup = setup
        self._engine = engine
        self._end: End | None = None
        self._container = engine.create(image, setup, **more)
        self.name = self._container.name
        self.started_s = time.monotonic()
        try:
            self._container.start()
        except docker.errors.APIError as error:
            self.close()
            raise CannotStart(str(error.explanation)) from error

    # requests

    def socket(self, timeout_s: float, port: int | None = None) -> socket.socket:
        """Straight into the container's network, where possible; never by docker-proxy, which accepts for it."""
        wanted = port or self.setup.port
        if self.address and sys.platform == "linux":
            return socket.create_connection((self.address, wanted), timeout_s)
        return namespace.connect(self.pid, wanted, timeout_s)

    @property
    def address(self) -> str:
        """Its IP address, or that of the container whose network it shares; empty in one without."""
        _, _, owner = self.setup.network.partition(":")
        attributes = self._engine.client.containers.get(owner).attrs if owner else self.attributes
        networks = attributes["NetworkSettings"]["Networks"]
        return next((each["IPAddress"] for each in networks.values() if each["IPAddress"]), "")

    @property
    def pid(self) -> int:
        """Of its first process, on the engine's host."""
        return int(self.attributes["State"]["Pid"])

    @property
    def attributes(self) -> dict[str, Any]:
        if self._container.attrs["State"]["Status"] != "running":
            self._container.reload()
        attributes: dict[str, Any] = self._container.attrs
        return attributes

    # life

    def ended(self) -> End | None:
        if self._end is None:
            self._container.reload()
            state = self._container.attrs["State"]
            if not state["Running"]:
                self._end = End(state["ExitCode"], time.monotonic() - self.started_s, state["OOMKilled"])
        return self._end

    def stop(self, grace_s: float) -> End:
        sent_s = time.monotonic()
        self._container.stop(timeout=int(grace_s))
        end = self.ended()
        assert end is not None  # noqa: S101 - the engine has killed it
        return replace(end, seconds=time.monotonic() - sent_s)

    def signal(self, name: str) -> None:
        self._container.kill(name)

    def restart(self) -> None:
        self._container.kill()
        self._container.wait()
        self._end = None
        self.started_s = time.monotonic()
        self._container.start()
        self._container.reload()

    def close(self) -> None:
        with contextlib.suppress(docker.errors.APIError, requests.exceptions.RequestException):
            self._container.remove(force=True, v=True)

    # inside

    def log(self) -> str:
        try:
            data: bytes = self._container.logs(tail=2000)
        except docker.errors.APIError:
            return ""
        return data[-LOG_LIMIT_BYTES:].decode("utf-8", "replace")

    def timed_log(self) -> list[tuple[float, str]]:
        try:
            text = self._container.logs(timestamps=True, tail=2000).decode("utf-8", "replace")
        except docker.errors.APIError:
            return []
        return [stamped for line in text.split("\n") if (stamped := _stamped(line))]

    def processes(self) -> list[list[str]]:
        return [row[-1].split() for row in self._top("args")]

    def workers(self) -> list[list[str]]:
        rows = self._top("ppid,args")
        parents = {parent for _, parent, _ in rows}
        return [words.split() for pid, _, words in rows if pid not in parents]

    def memory_bytes(self) -> int:
        stats = self._container.stats(stream=False, one_shot=True)["memory_stats"]
        inactive = stats.get("stats", {})
        return int(stats.get("usage", 0)) - int(inactive.get("total_inactive_file", inactive.get("inactive_file", 0)))

    def holdings(self) -> dict[str, int]:
        rows = self._top("nlwp")
        held = {"threads": sum(int(row[-1]) for row in rows)}
        with contextlib.suppress(OSError):  # only root may look, and only where the engine runs
            held["file descriptors"] = sum(len(os.listdir(f"/proc/{row[0]}/fd")) for row in rows)
        return held

    def put(self, folder: Path, targets: Sequence[str]) -> None:
        with tempfile.TemporaryFile() as file:
            pack(folder, targets, file)
            file.seek(0)
            self._container.put_archive("/", file)

    def listening_ports(self) -> set[int]:
        return namespace.listening_ports(self)

    def execute(self, *command: str) -> tuple[int, str]:
        try:
            api, output = self._container.client.api, bytearray()
            made = api.exec_create(self._container.id, list(command))
            with contextlib.closing(api.exec_start(made["Id"], stream=True)) as pieces:
                for piece in pieces:
                    output += piece
                    if len(output) > LOG_LIMIT_BYTES:
                        return 125, f"{command[0]} printed more than {LOG_LIMIT_BYTES} bytes"
            return api.exec_inspect(made["Id"])["ExitCode"], output.decode("utf-8", "replace")
        except docker.errors.APIError as error:
            return 126, str(error.explanation)

    def changes(self) -> list[str]:
        """Files that differ from the image's (docker diff)."""
        return [each["Path"] for each in self._container.diff() or ()]

    def _top(self, column: str) -> list[list[str]]:
        try:
            rows: list[list[str]] = self._container.top(ps_args=f"-eo pid,{column}")["Processes"]
        except docker.errors.APIError as error:
            raise Untestable(f"the engine does not list its processes: {error.explanation}") from error
        return rows


def _stamped(line: str) -> tuple[float, str] | None:
    """The second and the text of a line that the engine has put a time before; None if it has not."""
    stamp, _, text = line.partition(" ")
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(stamp).timestamp(), text
    return None
