"""Serves the model in the image before anything is uploaded, as serve_local.sh does it. Called by verbs/package.

Only /ping is asked, which is 200 when the model is loaded, in any container that SageMaker takes.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.errors import DeployError
from deploy.packing.members import Member

SCRIPT = Path(__file__).absolute().parents[2] / "local_test" / "serve_local.sh"
LOOK_EVERY_S = 0.2
LINES, WIDTH = 20, 300
DOCKER_S = 20
STOP_S = 40
"""What the script takes at most to stop: 30 s for the server to drain."""


def serve(
    image: str, found: Sequence[Member], *, beside: Path, timeout_s: float, waiting: Callable[[float], object]
) -> float:
    """Seconds from the start to the first 200 on /ping. Raises DeployError with the log's end where there is none.

    beside: where to lay out the model as it will be unpacked; on the same disk it costs no copies.
    """
    where = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where, prefix=".trial-") as scratch, (Path(scratch) / "log").open("w") as log:
        _lay_out(found, Path(scratch) / "model")
        Path(scratch).chmod(0o755)
        port = _free_port()
        env = {**os.environ, "TEST_DIR": scratch, "PORT": str(port), "NETWORK": os.environ.get("NETWORK", "bridge")}
        began_s = time.monotonic()
        process = subprocess.Popen([SCRIPT, image], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            while not _answers(port):
                elapsed_s = time.monotonic() - began_s
                if process.poll() is not None or elapsed_s > timeout_s:
                    raise _failed(image, process.poll(), log.name, elapsed_s)
                waiting(elapsed_s)
                time.sleep(LOOK_EVERY_S)
            return time.monotonic() - began_s
        finally:
            _stop(process)


def impossible(image: str) -> str:
    """Why there can be no trial in an image, or nothing. It is not pulled: that may be gigabytes, and need a login."""
    for command, reason in (
        (["docker", "version"], "the Docker engine does not answer"),
        (["docker", "image", "inspect", image], f"{image} is not on this machine; `docker pull` it"),
    ):
        try:
            done = subprocess.run(command, capture_output=True, timeout=DOCKER_S, check=False)
        except FileNotFoundError:
            return "docker is not installed"
        except subprocess.TimeoutExpired:
            return reason
        if done.returncode:
            return reason
    return ""


def _lay_out(found: Sequence[Member], folder: Path) -> None:
    folder.mkdir()
    for each in found:
        target = folder / each.name
        (target if each.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if not each.is_folder:
            _link(each.path.resolve(), target)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another disk, or another's file
        shutil.copyfile(path, target)


def _failed(image: str, code: int | None, log: str, elapsed_s: float) -> DeployError:
    text = Path(log).read_text(errors="replace").splitlines()[-LINES:]
    how = f"ended with exit code {code}" if code is not None else f"is not ready after {elapsed_s:.0f} s"
    return DeployError(
        f"{image} {how} with this model{_detail(text)}",
        "Read the log above; MEMORY=8g in the environment gives the container more, --load-timeout more time.",
        tuple(line if len(line) <= WIDTH else f"{line[:WIDTH]}..." for line in text),
    )


def _detail(log: Sequence[str]) -> str:
    """What our own server says last of a start that failed; other servers' logs speak for themselves."""
    for line in reversed(log):
        with suppress(ValueError, AttributeError, KeyError):
            return f": {json.loads(line)['detail']}"
    return "."


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)  # past any proxy
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
