"""A training job as the platform starts it: its folders under /opt/ml, its run, and what it left.

Used by checks of training. A Plan says what the job gets, a Job is that on disk, a Finished is how it ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_test.conformance.bench import Bench, open_to_all
from local_test.conformance.server import Server, Setup

INPUT_CONFIG = {"S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
INSTANCE = "ml.m5.large"
FAILURE_LIMIT_CHARACTERS = 1 << 16
FAILURE_SHOWN_CHARACTERS = 1024  # of output/failure, as FailureReason: DG:train
OUTPUT = ("model", "output/data", "checkpoints")
EXPECTED = ("model/", "output/", "checkpoints/", "input/data/")


@dataclass(frozen=True)
class Plan:
    """What a job gets. By default all that the platform may narrow is narrow."""

    hyperparameters: Mapping[str, str]
    channels: Mapping[str, Path]
    typed: bool = False
    """Hyperparameters as JSON has them; the platform sends nothing but strings."""
    writable: bool = False
    """Channels may be written to, being copies."""
    piped: bool = False
    """Channels are no folders: somebody feeds FIFOs."""
    network: str = "none"
    host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    checkpoints: Path | None = None
    """A folder of an earlier run's."""
    without: tuple[str, ...] = ()
    """Names of files in input/config that are not there."""


@dataclass(frozen=True)
class Finished:
    """How a job ended."""

    code: int
    seconds: float
    folder: Path
    """What was /opt/ml."""
    log: str
    lines: list[tuple[float, str]] = field(default_factory=list)
    """The log with the second of each line, where the engine knows it."""
    changes: tuple[str, ...] = ()
    """Files that it wrote elsewhere."""

    @property
    def model_files(self) -> list[str]:
        """Files below /opt/ml/model."""
        model = self.folder / "model"
        return sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())

    @property
    def failure(self) -> str:
        """What is in output/failure; empty without it."""
        path = self.folder / "output" / "failure"
        with suppress(OSError):
            if is_plain_file(path):
                with path.open(encoding="utf-8", errors="replace") as file:
                    return file.read(FAILURE_LIMIT_CHARACTERS)
        return ""

    @property
    def trained(self) -> bool:
        return self.code == 0 and bool(self.model_files)

    def __str__(self) -> str:
        """For the report: the exit code, and the reason or the last line."""
        lines = [line for line in (self.failure or self.log).splitlines() if line.strip()]
        said = lines[0] if self.failure.strip() else lines[-1] if lines else "it printed nothing"
        model = "" if self.model_files or self.code else " with nothing in /opt/ml/model"
        return f"it ended with exit code {self.code}{model}: {said[:300]}"


class Job:
    """One host's share of a training job, on disk."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self.bench = bench
        self.plan = plan
        self.folder = bench.folder()
        self.data = self.folder / "input" / "data"
        self._make_folders()
        self._write_config()
        self._given = self._files()

    @contextmanager
    def start(self, command: tuple[str, ...] = ("train",), **more: Any) -> Iterator[Server]:
        """A container that runs it. more: entrypoint, or arguments of docker-py. Raises Broken if it cannot start."""
        setup = Setup(
            command=command, entrypoint=more.pop("entrypoint", None), network=self.plan.network,
            env={"TRAINING_JOB_NAME": "conformance"}, mounts=self._mounts(),
        )  # fmt: skip
        with self.bench.run(setup, ready=False, needs_server=False, **more) as server:
            yield server

    def finish(self, server: Server, limit_s: float) -> Finished:
        """Wait for its end. Raises Broken if it still runs after limit_s."""
        end = server.wait_end(limit_s)
        changes = tuple(getattr(server, "changes", tuple)())
        return Finished(end.code, end.seconds, self.folder, server.log(), server.timed_log(), changes)

    def new_files(self) -> list[str]:
        """Files under /opt/ml that were not given, outside of where output belongs, and of channels."""
        new = self._files() - self._given
        return sorted(f"/opt/ml/{name}" for name in new if not name.startswith(EXPECTED))

    def _make_folders(self) -> None:
        self.data.mkdir(parents=True)
        if not self.plan.piped:
            for name, source in self.plan.channels.items():
                self._channel(name, source)
        if self.plan.checkpoints is not None:
            shutil.copytree(self.plan.checkpoints, self.folder / "checkpoints", ignore=_links)
        for name in OUTPUT:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        open_to_all(self.folder)
        for path in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            path.chmod(0o777)  # whichever user trains

    def _channel(self, name: str, source: Path) -> None:
        if self.plan.writable:
            shutil.copytree(source, self.data / name)
        else:
            (self.data / name).mkdir()

    def _write_config(self) -> None:
        folder = self.folder / "input" / "config"
        folder.mkdir()
        for name, content in self._config().items():
            if name not in self.plan.without:
                (folder / name).write_text(json.dumps(content))
        open_to_all(folder)

    def _config(self) -> dict[str, Any]:
        mode = "Pipe" if self.plan.piped else "File"
        given = self.plan.hyperparameters
        return {
            "hyperparameters.json": {name: _typed(value) for name, value in given.items()}
            if self.plan.typed
            else given,
            "inputdataconfig.json": {name: {"TrainingInputMode": mode, **INPUT_CONFIG} for name in self.plan.channels},
            "checkpointconfig.json": {"LocalPath": "/opt/ml/checkpoints"},
            "resourceconfig.json": {
                "current_host": self.plan.host,
                "hosts": sorted(self.plan.hosts),
                "network_interface_name": "eth0",
                "current_instance_type": INSTANCE,
                "current_group_name": "homogeneousCluster",
                "instance_groups": [
                    {
                        "instance_group_name": "homogeneousCluster",
                        "instance_type": INSTANCE,
                        "hosts": sorted(self.plan.hosts),
                    }
                ],
            },
        }

    def _mounts(self) -> dict[str, Path]:
        mounts = {"/opt/ml:rw": self.folder}
        if not self.plan.writable and not self.plan.piped:
            mounts |= {f"/opt/ml/input/data/{name}:ro": source for name, source in self.plan.channels.items()}
        return mounts

    def _files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir()}


def run(bench: Bench, plan: Plan, limit_s: float) -> Finished:
    """One job from its start to its end. Raises Broken if it cannot start or does not end."""
    job = Job(bench, plan)
    with job.start() as server:
        return job.finish(server, limit_s)


def is_plain_file(path: Path) -> bool:
    """Whether it is a file, and no link: in a container's folder that may lead to any file of this machine."""
    return path.is_file() and not path.is_symlink()


def _links(folder: str, names: list[str]) -> list[str]:
    """What a container's folder is copied without."""
    return [name for name in names if Path(folder, name).is_symlink()]


def _typed(value: str) -> Any:
    """The value as JSON, where it is that."""
    with suppress(ValueError):
        return json.loads(value)
    return value
