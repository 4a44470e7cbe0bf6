"""train_local.sh, serve_local.sh and predict.sh against the real engine: the habits of the old sample, hardened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local_test.conformance.ports import free_port
from tests.dockerfile import ROOT
from tests.image.conftest import open_to_all, training_dir
from tests.image.container import docker
from tests.system.client import wait_until

SCRIPTS = ROOT / "local_test"


class Script:
    """A script that runs, its output in files."""

    def __init__(self, folder: Path, name: str, *arguments: str, **environment: str) -> None:
        self.output, self.errors = folder / "stdout", folder / "stderr"
        with self.output.open("w") as out, self.errors.open("w") as err:
            command = [str(SCRIPTS / name), *arguments]
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=err)

    def said(self) -> str:
        return self.output.read_text() + self.errors.read_text()

    def wait(self, timeout_s: float = 60) -> int:
        return self.process.wait(timeout_s)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.wait()
        sys.stdout.write(self.said())


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """script(NAME, ARGUMENT..., VARIABLE=...) -> Script, ended at the end of the test."""
    with ExitStack() as scripts:

        def start(name: str, *arguments: str, **environment: str) -> Script:
            started = Script(tmp_path, name, *arguments, **environment)
            scripts.callback(started.close)
            return started

        yield start


@pytest.fixture
def port() -> str:
    return str(free_port())


@pytest.fixture
def serving(script: Callable[..., Script], image: str, trained: Path, port: str) -> Script:
    """serve_local.sh on the trained model, ready."""
    started = script("serve_local.sh", image, TEST_DIR=str(trained), PORT=port)
    wait_until(lambda: "ready at" in started.said() or started.process.poll() is not None, 60, "ready")
    assert started.process.poll() is None, started.said()
    return started


def inspect(name: str, what: str) -> Any:
    return json.loads(docker("inspect", "-f", f"{{{{json .{what}}}}}", name))


def names() -> str:
    """All containers and networks that there are."""
    return docker("ps", "-a", "--format", "{{.Names}}") + docker("network", "ls", "--format", "{{.Name}}")


def test_train_local_leaves_the_model_and_its_log(script: Callable[..., Script], image: str, tmp_path: Path) -> None:
    base_dir = training_dir(tmp_path)
    (base_dir / "model" / "of-last-time").touch()
    run = script("train_local.sh", image, TEST_DIR=str(base_dir))
    assert run.wait() == 0, run.said()
    assert {path.name for path in (base_dir / "model").iterdir()} == {"model.joblib", "manifest.json"}
    assert {path.stat().st_uid for path in (base_dir / "model").iterdir()} == {os.getuid()}
    assert "accuracy" in run.said()
    assert "exit code 0" in run.said()


def test_train_local_exits_with_the_jobs_code_and_shows_why(
    script: Callable[..., Script], image: str, tmp_path: Path
) -> None:
    base_dir = training_dir(tmp_path)
    (base_dir / "input" / "config" / "hyperparameters.json").write_text(json.dumps({"C": "often"}))
    run = script("train_local.sh", image, TEST_DIR=str(base_dir))
    assert run.wait() == 1
    assert "C='often'" in run.errors.read_text()


def test_train_local_stops_the_job_on_sigint(script: Callable[..., Script], image: str, tmp_path: Path) -> None:
    """Any program may be the job: here one that would go on for a minute."""
    base_dir = training_dir(tmp_path)
    slow = tmp_path / "train"
    slow.write_text(
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('on it')\ntime.sleep(60)\n"
    )
    run = script("train_local.sh", image, "--", "-v", f"{slow}:/opt/program/train:ro", TEST_DIR=str(base_dir))
    wait_until(lambda: "on it" in run.said(), 30, "the job has begun")
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 7


def test_predict_gets_an_answer_from_serve_local(serving: Script, port: str) -> None:
    command = [SCRIPTS / "predict.sh", SCRIPTS / "payloads" / "iris.csv"]
    done = subprocess.run(
        command, env={**os.environ, "PORT": port}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, ["setosa", "versicolor", "virginica"])


def test_serve_local_has_the_platforms_restrictions(serving: Script, port: str) -> None:
    name = f"sagemaker-serve-{port}"
    limits = inspect(name, "HostConfig")
    assert limits["ReadonlyRootfs"]
    assert (limits["CapDrop"], limits["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert limits["Memory"] == limits["MemorySwap"] == 2 * 1024**3
    assert limits["NanoCpus"] > 0
    assert [(mount["Destination"], mount["RW"]) for mount in inspect(name, "Mounts")] == [("/opt/ml/model", False)]
    assert inspect(name, "Args")[-1] == "serve"


def test_serve_local_has_no_way_out(serving: Script, port: str) -> None:
    name = f"sagemaker-serve-{port}"
    assert list(inspect(name, "NetworkSettings.Networks")) == [name]
    assert docker("network", "inspect", "-f", "{{.Internal}}", name) == "true\n"


def test_serve_local_drains_on_sigint_and_leaves_nothing(serving: Script, port: str) -> None:
    serving.process.send_signal(signal.SIGINT)
    assert serving.wait() == 0
    assert f"sagemaker-serve-{port}" not in names()


def test_serve_local_exits_with_the_servers_code(
    script: Callable[..., Script], image: str, trained: Path, tmp_path: Path, port: str
) -> None:
    shutil.copytree(trained / "model", tmp_path / "ml" / "model")
    (tmp_path / "ml" / "model" / "model.joblib").write_bytes(b"not a model")
    open_to_all(tmp_path / "ml")
    run = script("serve_local.sh", image, TEST_DIR=str(tmp_path / "ml"), PORT=port)
    assert run.wait() == 1
    assert "the server ended with exit code 1" in run.errors.read_text()
    assert f"sagemaker-serve-{port}" not in names()


def test_serve_local_without_a_model_says_how_to_get_one(
    script: Callable[..., Script], image: str, tmp_path: Path
) -> None:
    run = script("serve_local.sh", image, TEST_DIR=str(tmp_path))
    assert run.wait() == 1
    assert "make one with train_local.sh, or set TEST_DIR" in run.errors.read_text()


def compose() -> list[str]:
    """`docker compose`, or the older program; [] where there is none."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def test_loc_01_serves_from_the_compose_file_of_local_mode(
    image: str, model_dir: Path, tmp_path: Path, port: str
) -> None:
    """The file that the SageMaker SDK's local mode writes: a terminal, the model writable, keys in the environment."""
    if not (command := compose()):
        pytest.skip("neither docker compose nor docker-compose is installed")
    copy = open_to_all(shutil.copytree(model_dir, tmp_path / "model"))
    service = {
        "image": image,
        "container_name": f"serving-test-{port}-algo-1",
        "command": "serve",
        "stdin_open": True,
        "tty": True,
        "volumes": [f"{copy}:/opt/ml/model"],
        "environment": ["AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none", "SAGEMAKER_PROGRAM=inference.py"],
        "ports": [f"127.0.0.1:{port}:8080"],
        "networks": {"sagemaker-local": {"aliases": ["algo-1"]}},
    }
    document = {
        "version": "2.3",
        "services": {"algo-1": service},
        "networks": {"sagemaker-local": {"name": "sagemaker-local"}},
    }
    document["networks"]["sagemaker-local"]["name"] += f"-{port}"
    (tmp_path / "compose.json").write_text(json.dumps(document))
    command += ["-p", f"serving-test-{port}", "-f", str(tmp_path / "compose.json")]
    try:
        subprocess.run([*command, "up", "-d"], check=True, capture_output=True, timeout=120)
        predict = [SCRIPTS / "predict.sh", SCRIPTS / "payloads" / "iris.json"]
        env = {**os.environ, "PORT": port}

        def answered() -> bool:
            return subprocess.run(predict, env=env, capture_output=True, check=False).returncode == 0

        wait_until(answered, 120, "the service answers")
    finally:
        subprocess.run([*command, "down", "-t", "30"], check=False, capture_output=True, timeout=120)
