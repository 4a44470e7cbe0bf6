"""Runs an endpoint of several containers on this machine: python -m local_test.pipeline [--direct] STAGE STAGE...

A STAGE is MODEL_DIR, served by this checkout without Docker, or IMAGE=MODEL_DIR, served by a container; ,NAME=VALUE
after it sets variables. Containers share one network, each on a port of its own, as the platform has it:
https://docs.aws.amazon.com/sagemaker/latest/dg/build-multi-model-build-container.html
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from local_test.conformance.ports import free_port
from local_test.run import PROJECT_DIR, server_environment
from local_test.stages import DIRECT, SERIAL, Endpoint, Stage, front, is_ready

MOST = 15  # containers of one endpoint: CreateModel
SERVE = (sys.executable, "-m", "container", "serve")
FIRST_PORT = 9001
SAFE_PORT, SAFE_PORTS = 23000, 100
STOP_LIMIT_S = 30.0  # then SIGKILL
READY_LIMIT_S = 480.0
RESTRICTIONS = (
    *("--read-only", "--tmpfs", "/tmp:exec", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),  # noqa: S108
    *("--shm-size", "64m", "--memory", "2g", "--memory-swap", "2g"),
)
"""As serve_local.sh has them."""


@dataclass(frozen=True)
class Wanted:
    """One stage as it was asked for."""

    model_dir: Path
    image: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """[IMAGE=]MODEL_DIR[,NAME=VALUE...]. Raises ArgumentTypeError."""
        place, *variables = text.split(",")
        image, _, folder = place.rpartition("=")
        pairs = [each.partition("=") for each in variables]
        if wrong := [each for each, (_, equals, _value) in zip(variables, pairs, strict=True) if not equals]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} is not NAME=VALUE")
        if not Path(folder).is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {folder}")
        return cls(Path(folder).absolute(), image, {name: value for name, _, value in pairs})


class Running:
    """A stage's server while it runs: its process, or the docker client that is attached to its container."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        try:
            self.process = subprocess.Popen(
                command, cwd=PROJECT_DIR, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, process_group=0, text=True, errors="replace",
            )  # fmt: skip
        except FileNotFoundError as error:
            raise RuntimeError(f"{command[0]} is not installed") from error
        self._log = threading.Thread(target=self._show_log, name=f"log of {name}")

    def __enter__(self) -> Running:
        self._log.start()
        return self

    def __exit__(self, *_: object) -> None:
        """SIGTERM, and SIGKILL when the platform would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.join()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition. Raises RuntimeError if the server has ended before, or it takes too long."""
        end_s = time.monotonic() + READY_LIMIT_S
        while not condition():
            if (code := self.process.poll()) is not None:
                raise RuntimeError(f"{self.name} ended with exit code {code} before it was {what}; its log says why")
            if time.monotonic() > end_s:
                raise RuntimeError(f"{self.name} was not {what} after {READY_LIMIT_S:g} s")
            time.sleep(0.05)

    def _show_log(self) -> None:
        """Each line after the container's name, which is a log stream of its own on the platform."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self.process.stdout:
            sys.stdout.write(f"{self.name} | {line}")
            sys.stdout.flush()


class Network:
    """The one that an endpoint's containers share: that of the first one, which has the ports of all."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._owner = ""

    def command(self, name: str, wanted: Wanted, env: Mapping[str, str]) -> list[str]:
        """docker run, attached, in this network."""
        own = f"sagemaker-pipeline-{os.getpid()}-{name}"
        shared = ["--network", f"container:{self._owner}"]
        place = shared if self._owner else [word for port in self._ports for word in ("-p", f"127.0.0.1::{port}")]
        self._owner = self._owner or own
        variables = [word for pair in env.items() for word in ("-e", "=".join(pair))]
        mount = ["-v", f"{wanted.model_dir}:/opt/ml/model:ro"]
        return [
            "docker",
            "run",
            "--rm",
            "--name",
            own,
            *place,
            *RESTRICTIONS,
            *variables,
            *mount,
            wanted.image,
            "serve",
        ]

    def published(self, port: int) -> int:
        """Where a port of this network is reached from here; 0 before the first container runs."""
        command = ["docker", "port", self._owner, str(port)]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return int(told.split()[0].rpartition(":")[2]) if told.strip() else 0


@contextmanager
def running(wanted: Sequence[Wanted], mode: str = SERIAL) -> Iterator[Endpoint]:
    """An endpoint whose containers are all ready, and their end. Raises RuntimeError naming the one that is not."""
    network = Network([FIRST_PORT + number for number, each in enumerate(wanted) if each.image])
    with ExitStack() as stack:
        servers: dict[Running, Stage] = {}
        for number, each in enumerate(wanted):
            name, safe = f"container-{number + 1}", SAFE_PORT + SAFE_PORTS * number
            port = FIRST_PORT + number if each.image else free_port()
            env = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_SAFE_PORT_RANGE": f"{safe}-{safe + SAFE_PORTS - 1}"}
            if each.image:
                server = Running(name, network.command(name, each, {**env, **each.env}), {})
            else:
                server = Running(name, SERVE, {**server_environment(each.model_dir, port), **env, **each.env})
            stack.enter_context(server)
            if each.image:
                server.wait(partial(network.published, port), "running")
                port = network.published(port)
            servers[server] = Stage(name, port)
        for server, stage in servers.items():
            server.wait(partial(is_ready, stage), "ready")
        yield Endpoint(list(servers.values()), mode)


def main() -> int:
    """Serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local_test.pipeline", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "stages", nargs="+", type=Wanted.parse, metavar="STAGE", help="[IMAGE=]MODEL_DIR[,NAME=VALUE...]"
    )
    parser.add_argument(
        "--direct", action="store_true", help="each by its name, container-1 and so on, not all in a row"
    )
    parser.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; default: %(default)s")
    given = parser.parse_args()
    if not 2 <= len(given.stages) <= MOST:
        parser.error(f"an endpoint of several containers has 2 to {MOST}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with running(given.stages, DIRECT if given.direct else SERIAL) as endpoint:
            told = (", " if given.direct else " -> ").join(stage.name for stage in endpoint.stages)
            print(f"{told}: ready at http://127.0.0.1:{given.port}; Ctrl-C stops them", flush=True)
            front(endpoint, given.port).serve_forever()
    except RuntimeError as error:
        print(f"pipeline: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
