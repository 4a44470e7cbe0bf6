"""Containers for the checks, through Docker's API; all of them are gone at the end, however that comes.

Used by subjects.Image. Everything made here carries a label with the id of this run, by which it is found and removed.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import socket
import sys
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors
import requests.exceptions

from local_test.conformance import namespace
from local_test.conformance.assertion import Untestable
from local_test.conformance.server import LOG_LIMIT_BYTES, End, Server, Setup

LABEL = "sagemaker-conformance.run"
OWNER = "sagemaker-conformance.pid"
PIDS_LIMIT = 4096  # a container that forks without end must not take the machine down
API_TIMEOUT_S = 60
LOG_OPTIONS = {"max-size": "20m", "max-file": "1"}  # one that floods its log must not fill the disk
MEGABYTE = 2**20
GO_FOLDER, GO_LINK = 1 << 31, 1 << 27  # bits of a mode as Docker's API has it: Go's io/fs.FileMode


class EngineFault(Exception):
    """Docker does not answer, or cannot do what was asked; the text says what to change."""


class Engine:
    """One Docker engine, and what this run has made in it."""

    def __init__(self) -> None:
        self.run_id = uuid.uuid4().hex[:12]
        try:
            self.client = docker.from_env(timeout=API_TIMEOUT_S)
            self.client.ping()
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise EngineFault(
                f"no Docker engine answers ({_first_line(error)}); start it, or test without: --project . or --url URL"
            ) from error
        self._network: Any = None
        self._lock = threading.Lock()
        self._remove_orphans()

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.run_id, OWNER: str(os.getpid())}

    def image(self, name: str) -> Any:
        """The image's attributes. Raises EngineFault if it is not there."""
        try:
            return self.client.images.get(name)
        except docker.errors.ImageNotFound as error:
            raise EngineFault(f"there is no image {name} here; build it, or: docker pull {name}") from error
        except docker.errors.APIError as error:
            raise EngineFault(f"{name}: {error.explanation}") from error

    def create(self, image: str, setup: Setup, **more: Any) -> Any:
        """A container that has not started. more: further arguments of docker-py. Raises EngineFault."""
        arguments: dict[str, Any] = {
            "command": list(setup.command),
            "environment": dict(setup.env),
            "labels": self.labels,
            "volumes": _volumes(setup),
            "user": setup.user or None,
            "read_only": setup.read_only,
            "tmpfs": _tmpfs(setup),
            "tty": setup.tty,
            "stdin_open": setup.tty,
            "pids_limit": PIDS_LIMIT,
            "log_config": docker.types.LogConfig(type="json-file", config=LOG_OPTIONS),
            **_network(setup, self),
            **_limits(setup),
            **more,
        }
        if setup.entrypoint is not None:
            arguments["entrypoint"] = list(setup.entrypoint)
        try:
            return self.client.containers.create(image, **arguments)
        except docker.errors.APIError as error:
            raise EngineFault(f"the container could not be made: {error.explanation}") from error

    def network(self, *, internal: bool) -> str:
        """The name of this run's network: with a way out, or without."""
        name = f"conformance-{self.run_id}{'-internal' if internal else ''}"
        with self._lock:
            if not self.client.networks.list(names=[name]):
                self.client.networks.create(name, internal=internal, labels=self.labels)
        return name

    def files(self, image: str, under: str = "/") -> Iterator[tarfile.TarInfo]:
        """Every file of an image, or of one folder of it, as it would be in a container. All of an image: slow."""
        container = self.create(image, Setup())
        try:
            chunks = container.export(MEGABYTE) if under == "/" else container.get_archive(under, MEGABYTE)[0]
            with tarfile.open(fileobj=io.BufferedReader(_Stream(chunks), MEGABYTE), mode="r|") as archive:
                yield from archive
        except docker.errors.NotFound:
            return
        finally:
            container.remove(force=True, v=True)

    def program(self, image: str, paths: Iterable[str]) -> str:
        """The first of these paths where the image has an executable file, or a link; empty if none has."""
        container = self.create(image, Setup())
        try:
            return next((path for path in paths if _is_program(container, path)), "")
        finally:
            container.remove(force=True, v=True)

    def close(self) -> None:
        """Remove what this run has made. Called at the end, on Ctrl-C too."""
        self.remove({"label": f"{LABEL}={self.run_id}"})

    def _remove_orphans(self) -> None:
        """What a run has left that was killed: its process is gone."""
        with contextlib.suppress(docker.errors.APIError):
            for container in self.client.containers.list(all=True, filters={"label": OWNER}):
                if not _lives(container.labels[OWNER]):
                    self.remove({"label": f"{LABEL}={container.labels.get(LABEL)}"})

    def remove(self, filters: dict[str, str]) -> None:
        """Containers and networks that fit the filters."""
        for container in self.client.containers.list(all=True, filters=filters, ignore_removed=True):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=filters):
            with contextlib.suppress(docker.errors.APIError):
                network.remove()


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

    def listening_ports(self) -> set[int]:
        return namespace.listening_ports(self)

    def put(self, folder: Path, targets: Sequence[str]) -> None:
        with tempfile.TemporaryFile() as file:
            _pack(folder, targets, file)
            file.seek(0)
            self._container.put_archive("/", file)

    def execute(self, *command: str) -> tuple[int, str]:
        try:
            code, output = self._container.exec_run(list(command))
        except docker.errors.APIError as error:
            return 126, str(error.explanation)
        return code, output.decode("utf-8", "replace")

    def changes(self) -> list[str]:
        """Files that differ from the image's (docker diff)."""
        return [each["Path"] for each in self._container.diff() or ()]

    def _top(self, column: str) -> list[list[str]]:
        try:
            rows: list[list[str]] = self._container.top(ps_args=f"-eo pid,{column}")["Processes"]
        except docker.errors.APIError as error:
            raise Untestable(f"the engine does not list its processes: {error.explanation}") from error
        return rows


class CannotStart(Exception):
    """The engine could not start the container's program; the text is the engine's."""


class _Stream(io.RawIOBase):
    """The chunks of an HTTP answer as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _pack(folder: Path, targets: Sequence[str], file: IO[bytes]) -> None:
    """A tar of a folder at some places, its files stored once."""
    first, *others = [target.strip("/") for target in targets]
    with tarfile.open(fileobj=file, mode="w", dereference=True) as archive:
        archive.add(folder, first, filter=_open_to_all)
        for info in list(archive.getmembers()):
            for other in others:
                archive.addfile(_link(info, other + info.name.removeprefix(first)))


def _open_to_all(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mode |= 0o755 if info.isdir() else 0o644
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _link(info: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    link = copy.copy(info)
    link.name = name
    if not info.isdir():
        link.type, link.linkname, link.size = tarfile.LNKTYPE, info.name, 0
    return link


def _network(setup: Setup, engine: Engine) -> dict[str, Any]:
    if setup.network in ("", "internal"):
        return {"network": engine.network(internal=setup.network == "internal")}
    return {"network_mode": setup.network}


def _limits(setup: Setup) -> dict[str, Any]:
    limits: dict[str, Any] = {"ipc_mode": "none"} if setup.no_shm else {"shm_size": setup.shm_bytes}
    if setup.memory_mb:
        limits["mem_limit"] = limits["memswap_limit"] = setup.memory_mb * MEGABYTE
    if setup.cpus:
        limits["nano_cpus"] = int(setup.cpus * 1e9)
    return limits


def _tmpfs(setup: Setup) -> dict[str, str]:
    return dict.fromkeys((*setup.tmpfs, *(("/tmp",) if setup.read_only else ())), "")  # noqa: S108 - the container's


def _volumes(setup: Setup) -> list[str]:
    volumes = [f"{source.absolute()}:{target}" for target, source in setup.mounts.items()]
    if setup.model_dir is not None:
        volumes.append(f"{setup.model_dir.absolute()}:/opt/ml/model:{'rw' if setup.writable_model else 'ro'}")
    return volumes


def _stamped(line: str) -> tuple[float, str] | None:
    """The second and the text of a line that the engine has put a time before; None if it has not."""
    stamp, _, text = line.partition(" ")
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(stamp).timestamp(), text
    return None


def _is_program(container: Any, path: str) -> bool:
    try:
        stream, stat = container.get_archive(path)
    except docker.errors.APIError:
        return False
    stream.close()
    return bool(stat["mode"] & GO_LINK or (stat["mode"] & 0o111 and not stat["mode"] & GO_FOLDER))


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
