"""The SageMaker Python SDK's local mode on the image: fit, endpoint, batch transform. Ids: tests/contract_rows.toml.

It is told to send no telemetry, and whatever it asked of AWS would end at a closed port of this machine.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local_test.conformance.ports import free_port
from tests.image.conftest import SAMPLE_INPUT
from tests.image.container import docker
from tests.missing import lacks
from tests.venvs import NO_TELEMETRY, SDK_2, python_with

HERE = Path(__file__).parent
TIMEOUT_S = 600  # 190 s were seen on two cores with a load of 9

FLOWERS = {"setosa": "5.1,3.5,1.4,0.2", "versicolor": "5.9,3.0,4.2,1.5", "virginica": "6.3,2.7,4.9,1.8"}
TO_MANY_BYTES = "0" * 300
"""Appended to a row, it changes no number: a thousand rows are then more than one payload of 1 MB."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sdk() -> Path:
    """The Python that has the SDK. Skips, or fails in CI, where local mode's own programs are missing."""
    has_compose = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    needed = {"docker-compose": has_compose or shutil.which("docker-compose"), "pgrep": shutil.which("pgrep")}
    if missing := [name for name, found in needed.items() if not found]:
        lacks(f"local mode needs {' and '.join(missing)} (Debian: apt-get install docker-compose procps)")
    return python_with(SDK_2)


@pytest.fixture(scope="module")
def species() -> dict[str, list[str]]:
    """Which flowers each strategy's input has, in an order that no sorting gives."""
    shuffled = random.Random(0)
    counts = {"MultiRecord": 1000, "SingleRecord": 20}
    return {strategy: shuffled.choices(sorted(FLOWERS), k=count) for strategy, count in counts.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, species: dict[str, list[str]]) -> Path:
    """What the program finds: the training data and the inputs of two transform jobs. The second's last line is cut."""
    folder = tmp_path_factory.mktemp("sdk")
    shutil.copytree(SAMPLE_INPUT / "data" / "training", folder / "training")
    texts = {
        "MultiRecord": "".join(f"{FLOWERS[name]}{TO_MANY_BYTES}\n" for name in species["MultiRecord"]),
        "SingleRecord": "\n".join(FLOWERS[name] for name in species["SingleRecord"]),
    }
    for strategy, text in texts.items():
        (folder / strategy).mkdir()
        (folder / strategy / f"{strategy}.csv").write_text(text)
    (folder / "out").mkdir()
    (folder / "no-telemetry.yaml").write_text(NO_TELEMETRY)
    return folder


@pytest.fixture(scope="module")
def results(sdk: Path, image: str, folder: Path) -> Iterator[Any]:
    """What the program wrote. Every container and network of the run is gone at the end, however it ended."""
    project = f"serving-test-{uuid.uuid4().hex[:12]}"
    command = [str(sdk), str(HERE / "sdk_program.py"), image, str(folder), str(free_port())]
    try:
        code = run_bounded(command, environment(folder, project), folder / "log")
        assert code == 0, (folder / "log").read_text()
        yield {**json.loads((folder / "results.json").read_text()), "project": project}
    finally:
        remove_all(project)


def environment(folder: Path, project: str) -> dict[str, str]:
    """Ours, without what it says of AWS; with keys that open nothing and addresses where nobody listens."""
    config = str(folder / "no-telemetry.yaml")
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEMAKER_"))} | {
        "SAGEMAKER_USER_CONFIG_OVERRIDE": config,
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": config,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # discard: closed on any machine of today
        "COMPOSE_PROJECT_NAME": project,
    }


def run_bounded(command: list[str], env: dict[str, str], log: Path) -> int:
    """The exit code of a program whose children end with it: an endpoint not deleted would keep it alive for ever."""
    with log.open("w") as output, subprocess.Popen(
        command, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:  # fmt: skip
        try:
            return process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not within {TIMEOUT_S} s:\n{log.read_text()}")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def remove_all(project: str) -> None:
    """Local mode leaves its ended containers and its network."""
    label = f"label=com.docker.compose.project={project}"
    if containers := docker("ps", "-aq", "--filter", label).split():
        docker("rm", "-f", "-v", *containers)
    if networks := docker("network", "ls", "-q", "--filter", label).split():
        docker("network", "rm", *networks)


def test_sdk_fits_and_gets_a_flat_archive(results: Any) -> None:
    """Estimator.fit: hyperparameters come as strings, the channel by its name."""
    with tarfile.open(results["artifact"].removeprefix("file://")) as archive:
        assert {"model.joblib", "manifest.json"} <= {Path(name).as_posix() for name in archive.getnames()}


def test_loc_01_sdk_deploys_an_endpoint_and_predicts(results: Any) -> None:
    answer = ["setosa", "virginica"]
    assert results["predictions"] == {"csv": answer, "json": answer}


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_bt_05_sdk_transforms_each_record_in_order(
    strategy: str, results: Any, folder: Path, species: dict[str, list[str]]
) -> None:
    """In payloads of 1 MB, and line by line; a last line without a newline counts as well (BT-06)."""
    assert (folder / "out" / f"{strategy}.csv.out").read_text().splitlines() == species[strategy]


def test_sdk_deletes_what_it_started(results: Any) -> None:
    label = f"label=com.docker.compose.project={results['project']}"
    assert len(docker("ps", "-aq", "--filter", label).split()) == 4  # fit, endpoint, two transform jobs
    assert docker("ps", "-q", "--filter", label) == ""
