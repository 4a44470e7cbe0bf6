"""Runs the real server, nginx and all, without Docker. Used by demo.py and the benchmarks.

As a command it is what `make serve` starts: python -m local_test.run [--port 8080] [--model-dir DIR]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from local_test.conformance.ports import free_port

PROJECT_DIR = Path(__file__).absolute().parent.parent
TEST_DIR = PROJECT_DIR / "local_test" / "test_dir"
STOP_TIMEOUT_S = 30.0


class LocalServer:
    """`serve` as a child process, ready inside the `with` block and drained after it."""

    def __init__(self, model_dir: Path, port: int = 0, log: IO[Any] | int | None = None, **environment: str) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.environment = {**os.environ, **server_environment(model_dir, self.port), **environment}

    def __enter__(self) -> LocalServer:
        command = [sys.executable, "-m", "container", "serve"]
        self.process = subprocess.Popen(
            command, env=self.environment, cwd=PROJECT_DIR, stdout=self.log, stderr=self.log, process_group=0
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_ready(self, timeout_s: float = 120.0) -> float:
        """Wait for the first 200 on /ping; returns the seconds it took. RuntimeError if the server ended."""
        started_s = time.monotonic()
        while time.monotonic() - started_s < timeout_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with exit code {self.process.returncode}; its log says why")
            if ping(self.url) == 200:
                return time.monotonic() - started_s
            time.sleep(0.02)
        raise RuntimeError(f"the server was not ready after {timeout_s:g} s")


def server_environment(model_dir: Path, port: int) -> dict[str, str]:
    """What the platform would set, for this model and port."""
    return {
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_BASE_DIR": str(TEST_DIR),
        "SM_MODEL_DIR": str(model_dir.absolute()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT_DIR), os.environ.get("PYTHONPATH", "")])),
    }


def ping(url: str) -> int | None:
    """The status of /ping; None while nobody listens."""
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=2) as answer:  # noqa: S310 - our own http URL
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def main() -> None:
    """Become the server: Ctrl-C reaches it directly and drains it."""
    parser = argparse.ArgumentParser(prog="python -m local_test.run", description="Serve a model without Docker.")
    parser.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    parser.add_argument("--model-dir", type=Path, default=TEST_DIR / "model", help="default: the sample's")
    options = parser.parse_args()
    os.environ.update(server_environment(options.model_dir, options.port))
    ask = f"{'' if options.port == 8080 else f'PORT={options.port} '}local_test/predict.sh PAYLOAD"
    print(f"{options.model_dir} on http://127.0.0.1:{options.port}; Ctrl-C drains it. Elsewhere: {ask}", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "container", "serve"])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
