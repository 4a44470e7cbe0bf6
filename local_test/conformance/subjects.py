"""What is tested: an image, a checkout without Docker, or an address where somebody else serves.

Made by __main__ from the command line; bench.Bench starts servers through it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from local_test.conformance.assertion import NotApplicable, Untestable
from local_test.conformance.container import Container
from local_test.conformance.engine import Engine
from local_test.conformance.ports import free_port
from local_test.conformance.server import LOG_LIMIT_BYTES, End, Server, Setup

FROM_OUTSIDE = "needs a server that is started from here: give an image, or --project"
FROM_AN_IMAGE = "needs an image"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where an image names no other


class Subject(Protocol):
    """Whatever servers are started from."""

    name: str
    starts_more: bool
    """Whether a second server can be started beside the first."""

    def start(self, setup: Setup, **more: Any) -> Server:
        """A server, perhaps not ready yet. Raises Untestable where it cannot be started so."""
        ...

    def image(self) -> Image:
        """Itself, if it is an image. Raises Untestable if not."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """What the image says of itself."""
        ...

    def close(self) -> None: ...


class Image:
    """A Docker image."""

    starts_more = True

    def __init__(self, name: str, defaults: Setup) -> None:
        """defaults: what each start has, beside what a check changes: --env, --memory. Raises engine.EngineFault."""
        self.name = name
        self.defaults = defaults
        self.engine = Engine()
        self.attributes: dict[str, Any] = self.engine.image(name).attrs

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.attributes["Config"]
        return config

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}

    def image(self) -> Image:
        return self

    def program(self, name: str) -> str:
        """Where an executable of this name is on the image's PATH; empty if it is nowhere."""
        variables = dict(variable.split("=", 1) for variable in self.config.get("Env") or () if "=" in variable)
        folders = variables.get("PATH", DEFAULT_PATH).split(":")
        return self.engine.program(self.name, [f"{folder.rstrip('/')}/{name}" for folder in folders if folder])

    def start(self, setup: Setup, **more: Any) -> Container:
        """more: further arguments of docker-py's containers.create. Raises engine.CannotStart."""
        return Container(self.engine, self.name, self._with_defaults(setup), **more)

    def close(self) -> None:
        self.engine.close()

    def _with_defaults(self, setup: Setup) -> Setup:
        return replace(
            setup,
            env={**self.defaults.env, **setup.env},
            memory_mb=setup.memory_mb or self.defaults.memory_mb,
            cpus=setup.cpus or self.defaults.cpus,
        )


class Address:
    """A server that somebody else has started: it can be asked, no more."""

    starts_more = False
    labels: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        self.name = url
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80

    def image(self) -> Image:
        raise Untestable(FROM_AN_IMAGE)

    def start(self, setup: Setup, **more: Any) -> Server:
        if more or setup != Setup(model_dir=setup.model_dir):
            raise Untestable(FROM_OUTSIDE)
        return AddressServer(self.host, self.port)

    def close(self) -> None:
        """It was not ours."""


class AddressServer(Server):
    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.name = f"{host}:{port}"
        self.started_s = time.monotonic()

    def socket(self, timeout_s: float, port: int | None = None) -> socket.socket:
        return socket.create_connection((self.host, port or self.port), timeout_s)

    def ended(self) -> End | None:
        return None

    def last_words(self) -> str:
        return ""

    def wait_ready(self, timeout_s: float = 10.0) -> float:
        return super().wait_ready(min(timeout_s, 10.0))


class Project:
    """A checkout with this template's `serve`, run as a process."""

    starts_more = True
    labels: Mapping[str, str] = {}

    def __init__(self, folder: Path, defaults: Setup) -> None:
        self.folder = folder.absolute()
        self.name = str(folder)
        self.defaults = defaults
        if not (self.folder / "serve").is_file():
            raise NotApplicable(f"{folder} has no file named serve")

    def image(self) -> Image:
        raise Untestable(FROM_AN_IMAGE)

    def start(self, setup: Setup, **more: Any) -> Server:
        """Only command, environment, port and model folder are a process's; all else needs a container."""
        plain = Setup(command=setup.command, env=setup.env, port=setup.port, model_dir=setup.model_dir)
        if more or replace(setup, tty=False) != plain:
            raise Untestable("needs a container: a process has no limits, networks or mounts of its own")
        return Process(self.folder, replace(setup, env={**self.defaults.env, **setup.env}))

    def close(self) -> None:
        """Each server has ended by its own close()."""


class Process(Server):
    """The checkout's server as a process group."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self.setup = setup
        self.port = free_port() if setup.port == Setup.port else setup.port
        self._log = tempfile.NamedTemporaryFile(prefix="conformance-", suffix=".log")  # noqa: SIM115 - see close
        environment = {"SAGEMAKER_BIND_TO_PORT": str(self.port), **setup.env}
        if setup.model_dir is not None:
            environment["SM_MODEL_DIR"] = str(setup.model_dir.absolute())
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(folder / setup.command[0]), *setup.command[1:]], cwd=folder, process_group=0,
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self.name = f"process {self.process.pid}"

    def socket(self, timeout_s: float, port: int | None = None) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.port), timeout_s)

    def ended(self) -> End | None:
        code = self.process.poll()
        if code is None:
            return None
        return End(code if code >= 0 else 128 - code, time.monotonic() - self.started_s)

    def stop(self, grace_s: float) -> End:
        sent_s = time.monotonic()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        self._kill()
        code = self.process.wait()
        return End(code if code >= 0 else 128 - code, time.monotonic() - sent_s)

    def signal(self, name: str) -> None:
        self.process.send_signal(signal.Signals[name])

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop(30)
        self._kill()
        self._log.close()

    def log(self) -> str:
        data = Path(self._log.name).read_bytes()
        return data[-LOG_LIMIT_BYTES:].decode("utf-8", "replace")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
