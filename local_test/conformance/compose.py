"""A container that compose starts, as the local mode of the SageMaker Python SDK does. Used by checks/local_mode.py.

Source: contract, "Local mode"; what the SDK 2.257 writes into its docker-compose.yaml.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from local_test.conformance.assertion import Untestable
from local_test.conformance.engine import LOG_OPTIONS, PIDS_LIMIT
from local_test.conformance.ports import free_port
from local_test.conformance.server import LOG_LIMIT_BYTES, End
from local_test.conformance.subjects import AddressServer, Image

PROJECT = "com.docker.compose.project"
NO_COMPOSE = "needs docker compose, or docker-compose (Debian: apt-get install docker-compose)"
NETWORK = "sagemaker-local"
VERSION_LIMIT_S = 30.0


class Compose(AddressServer):
    """One service, its port published on this machine, a folder mounted that it may write to."""

    def __init__(self, image: Image, model_dir: Path, folder: Path) -> None:
        """folder: where compose's file and log are written. Raises Untestable without compose."""
        words = program()
        super().__init__("127.0.0.1", free_port())
        self.image = image
        self.project = f"conformance-{image.engine.run_id}"
        self.started_s = time.monotonic()
        file = folder / "docker-compose.yaml"
        file.write_text(json.dumps(self._document(model_dir)))  # JSON is YAML
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*words, "-p", self.project, "-f", str(file), "up", "--build", "--abort-on-container-exit"],
                env={**os.environ, "COMPOSE_HTTP_TIMEOUT": "120"}, cwd=folder, process_group=0,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _document(self, model_dir: Path) -> dict[str, Any]:
        defaults, labels = self.image.defaults, self.image.engine.labels
        service = {
            "image": self.image.name,
            "command": "serve",
            "stdin_open": True,
            "tty": True,
            "environment": dict(defaults.env),
            "volumes": [f"{model_dir.absolute()}:/opt/ml/model"],
            "ports": [f"127.0.0.1:{self.port}:8080"],
            "networks": {NETWORK: {"aliases": ["algo-1"]}},
            "labels": labels,
            "pids_limit": PIDS_LIMIT,
            "logging": {"driver": "json-file", "options": LOG_OPTIONS},
            **({"mem_limit": f"{defaults.memory_mb}m"} if defaults.memory_mb else {}),
        }
        networks = {NETWORK: {"name": f"{self.project}-compose", "labels": labels}}
        return {"version": "2.3", "services": {"algo-1": service}, "networks": networks}

    def ended(self) -> End | None:
        code = self.process.poll()
        return None if code is None else End(code, time.monotonic() - self.started_s)

    def log(self) -> str:
        return self._log.read_bytes()[-LOG_LIMIT_BYTES:].decode("utf-8", "replace")

    def close(self) -> None:
        """Kill it, as local mode does, and remove what compose has made."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.image.engine.remove({"label": f"{PROJECT}={self.project}"})


def program() -> list[str]:
    """The words that run compose. Raises Untestable."""
    if shutil.which("docker"):
        asked = subprocess.run(
            ["docker", "compose", "version"], capture_output=True, timeout=VERSION_LIMIT_S, check=False
        )
        if asked.returncode == 0:
            return ["docker", "compose"]
    if found := shutil.which("docker-compose"):
        return [found]
    raise Untestable(NO_COMPOSE)
