"""Containers for the checks, through Docker's API; all of them are gone at the end, however that comes.

Used by subjects.Image and container.Container. Everything made here carries a label with the id of this run, by which
it is found and removed.
"""

from __future__ import annotations

import contextlib
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors
import requests.exceptions

from local_test.conformance import owner
from local_test.conformance.archives import MEGABYTE, is_program, members
from local_test.conformance.server import Setup

LABEL = "sagemaker-conformance.run"
OWNER = "sagemaker-conformance.owner"
PIDS_LIMIT = 4096  # a container that forks without end must not take the machine down
OOM_SCORE = 500  # nor one that takes all memory: the kernel ends it before others
API_TIMEOUT_S = 60
REMOVE_LIMIT_S = 60.0
ENGINE_ERRORS = (docker.errors.DockerException, requests.exceptions.RequestException)
LOG_OPTIONS = {"max-size": "20m", "max-file": "1"}  # one that floods its log must not fill the disk


class EngineFault(Exception):
    """Docker does not answer, or cannot do what was asked; the text says what to change."""


class CannotStart(Exception):
    """The engine could not start the container's program; the text is the engine's."""


class Engine:
    """One Docker engine, and what this run has made in it."""

    def __init__(self) -> None:
        self.run_id = uuid.uuid4().hex[:12]
        try:
            self.client = docker.from_env(timeout=API_TIMEOUT_S)
            self.client.ping()
        except ENGINE_ERRORS as error:
            raise EngineFault(
                f"no Docker engine answers ({_first_line(error)}); start it, or test without: --project . or --url URL"
            ) from error
        self._makers = ThreadPoolExecutor(thread_name_prefix="make")
        self._lock = threading.Lock()
        self._remove_orphans()

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.run_id, OWNER: owner.here()}

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
            "oom_score_adj": OOM_SCORE,
            "log_config": docker.types.LogConfig(type="json-file", config=LOG_OPTIONS),
            **_network(setup, self),
            **_limits(setup),
            **more,
        }
        if setup.entrypoint is not None:
            arguments["entrypoint"] = list(setup.entrypoint)
        try:
            return self._make(self.client.containers.create, image, **arguments)
        except docker.errors.APIError as error:
            raise EngineFault(f"the container could not be made: {error.explanation}") from error

    def network(self, *, internal: bool) -> str:
        """The name of this run's network: with a way out, or without."""
        name = f"conformance-{self.run_id}{'-internal' if internal else ''}"
        with self._lock:
            if not self.client.networks.list(names=[name]):
                self._make(self.client.networks.create, name, internal=internal, labels=self.labels)
        return name

    def files(self, image: str, under: str = "/") -> Iterator[tarfile.TarInfo]:
        """Every file of an image, or of one folder of it, as it would be in a container. All of an image: slow."""
        container = self.create(image, Setup())
        try:
            yield from members(
                container.export(MEGABYTE) if under == "/" else container.get_archive(under, MEGABYTE)[0]
            )
        except docker.errors.NotFound:
            return
        finally:
            container.remove(force=True, v=True)

    def program(self, image: str, paths: Iterable[str]) -> str:
        """The first of these paths where the image has an executable file, or a link; empty if none has."""
        container = self.create(image, Setup())
        try:
            return next((path for path in paths if is_program(container, path)), "")
        finally:
            container.remove(force=True, v=True)

    def close(self) -> None:
        """Remove what this run has made, and make nothing more. Another thread may call it while a check runs."""
        self._makers.shutdown()
        try:
            self.remove({"label": f"{LABEL}={self.run_id}"})
        except ENGINE_ERRORS as error:
            print(f"containers may be left, the next run removes them: {_first_line(error)}", file=sys.stderr)

    def _make(self, make: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """In a thread of its own: a Ctrl-C ends the waiting, and close() finds what has been made all the same."""
        try:
            making = self._makers.submit(make, *arguments, **named)
        except RuntimeError as error:
            raise EngineFault("the run has been stopped") from error
        return making.result()

    def _remove_orphans(self) -> None:
        """What a run has left that was killed: its process is gone."""
        with contextlib.suppress(*ENGINE_ERRORS):
            made = [(each.labels, each.attrs["Created"]) for each in self._containers({"label": OWNER})]
            networks = self.client.networks.list(filters={"label": OWNER})
            made += [(each.attrs["Labels"], each.attrs["Created"]) for each in networks]
            for run_id in {labels.get(LABEL) for labels, created in made if owner.is_gone(labels[OWNER], created)}:
                self.remove({"label": f"{LABEL}={run_id}"})

    def remove(self, filters: dict[str, str]) -> None:
        """Containers and networks that fit the filters. Again and again, since the engine may be busy with one."""
        end_s = time.monotonic() + REMOVE_LIMIT_S
        while containers := self._containers(filters):
            for container in containers:
                with contextlib.suppress(docker.errors.APIError):
                    container.remove(force=True, v=True)
            if time.monotonic() > end_s:
                break
            time.sleep(0.05)
        for network in self.client.networks.list(filters=filters):
            with contextlib.suppress(docker.errors.APIError):
                network.remove()

    def _containers(self, filters: dict[str, str]) -> list[Any]:
        found: list[Any] = self.client.containers.list(all=True, filters=filters, ignore_removed=True)
        return found


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


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
