"""RUN-*, BT-01: how the container starts, stops and lives within its limits. Ids: docs/contract.md."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.image.conftest import open_to_all
from tests.image.container import CLIENT, HARDENED, Container, docker
from tests.system.client import wait_until

Run = Callable[..., Container]
ROWS = b"5.1,3.5,1.4,0.2\n6.3,2.7,4.9,1.8\n"
SPECIES = ["setosa", "virginica"]
ANY_ADDRESS = ("00000000", "00000000000000000000000000000000")  # IPv4, IPv6

PLATFORM_ENVIRONMENT = {
    "SAGEMAKER_SAFE_PORT_RANGE": "23000-23999",
    "SAGEMAKER_REGION": "eu-central-1",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_MODEL_SERVER_VMARGS": "-XX:-UseContainerSupport",
    "SAGEMAKER_TS_BATCH_SIZE": "4",
    "SAGEMAKER_TS_MAX_BATCH_DELAY": "100",
    "SAGEMAKER_TS_MIN_WORKERS": "1",
    "SAGEMAKER_TS_MAX_WORKERS": "1",
    "SAGEMAKER_TS_RESPONSE_TIMEOUT": "60",
    "SAGEMAKER_USE_NGINX": "true",
    "CA_REPOSITORY_ARN": "arn:aws:codeartifact:eu-central-1:111111111111:repository/a/b",
    "SAGEMAKER_ENABLE_STATEFUL_SESSIONS": "false",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/none",
    "AWS_REGION": "eu-central-1",
    "HOSTNAME": "model.aws.local",
}


def species(container: Container) -> object:
    reply = container.invoke(ROWS, "text/csv")
    assert reply.status == 200, reply
    return reply.json()


def ports(container: Container) -> set[int]:
    return {port for _, port in container.listening()}


def without(options: tuple[str, ...], *names: str) -> tuple[str, ...]:
    """The options without some that take a value."""
    pairs = [i for i, word in enumerate(options) if word in names]
    return tuple(word for i, word in enumerate(options) if i not in pairs and i - 1 not in pairs)


def test_run_01_stays_up_and_listens(sample: Container) -> None:
    assert sample.running
    assert species(sample) == SPECIES


def test_run_02_cmd_is_irrelevant(run: Run, model_dir: Path) -> None:
    """`docker run IMAGE` is `docker run IMAGE serve`."""
    container = run(model_dir=model_dir, command=())
    container.wait_ready()
    assert species(container) == SPECIES


def test_run_03_listens_on_all_interfaces(sample: Container) -> None:
    assert {address for address, port in sample.listening() if port == 8080} <= set(ANY_ADDRESS)


def test_run_03_answers_at_its_own_address(sample: Container) -> None:
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", sample.name).strip()
    assert sample.execute("python", "-c", CLIENT, f"http://{address}:8080/ping", "", stdin=b"") == "200 "


def test_run_04_obeys_bind_to_port(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, env={"SAGEMAKER_BIND_TO_PORT": "9123"}, port=9123)
    container.wait_ready()
    assert species(container) == SPECIES
    assert 8080 not in ports(container)


def test_run_05_default_port_is_8080(sample: Container) -> None:
    assert 8080 in ports(sample)


def test_run_06_every_other_port_is_in_the_safe_range(run: Run, model_dir: Path) -> None:
    """It needs none: nginx and gunicorn speak through a socket file."""
    env = {"SAGEMAKER_BIND_TO_PORT": "9123", "SAGEMAKER_SAFE_PORT_RANGE": "23000-23999"}
    container = run(model_dir=model_dir, env=env, port=9123)
    container.wait_ready()
    assert ports(container) == {9123}


def test_run_07_two_containers_share_one_network(run: Run, sample: Container, model_dir: Path) -> None:
    """As the containers of a multi-container endpoint do."""
    env = {"SAGEMAKER_BIND_TO_PORT": "9124"}
    second = run(model_dir=model_dir, env=env, port=9124, network=f"container:{sample.name}")
    second.wait_ready()
    assert second.inside("/invocations", ROWS)[0] == 200
    assert species(sample) == SPECIES


def test_run_08_sigterm_ends_it_with_code_0_within_30_s(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir)
    container.wait_ready()
    code, seconds = container.stop(30)
    assert (code, seconds < 10) == (0, True)


def test_run_09_request_in_flight_completes_during_stop(run: Run, obedient_dir: Path) -> None:
    container = run(model_dir=obedient_dir)
    container.wait_ready()
    reply = container.invoke_later({"sleep_s": 2})
    wait_until(lambda: "sleeping" in container.execute("sh", "-c", "ls /tmp"), 10, "the request has begun")
    code, _ = container.stop(30)
    assert (reply.result().status, code) == (200, 0)


def test_run_10_model_folder_is_read_only_and_gets_no_new_file(run: Run, model_dir: Path) -> None:
    before = sorted(model_dir.rglob("*"))
    container = run(model_dir=model_dir)  # mounted :ro, as in all these tests
    container.wait_ready()
    assert species(container) == SPECIES
    assert sorted(model_dir.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_run_11_model_files_may_belong_to_another_user(run: Run, model_dir: Path, tmp_path: Path) -> None:
    copy = open_to_all(shutil.copytree(model_dir, tmp_path / "model"))
    for path in (copy, *copy.rglob("*")):
        os.chown(path, 54321, 54321)
    run(model_dir=copy).wait_ready()


@pytest.fixture(scope="module")
def isolated(start: Run, model_dir: Path) -> Container:
    container = start(model_dir=model_dir, network="none")
    container.wait_ready()
    return container


def test_run_12_serves_without_a_network(isolated: Container) -> None:
    assert isolated.inside("/ping") == (200, b"")
    assert isolated.inside("/invocations", ROWS) == (200, b'["setosa","virginica"]')


def test_run_13_needs_no_aws_credentials_or_region(isolated: Container) -> None:
    assert "AWS_" not in isolated.execute("env")
    assert isolated.inside("/ping")[0] == 200


def test_run_14_shared_memory_of_64_mb_is_enough(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, options=(*without(HARDENED, "--ipc"), "--shm-size", "64m"))
    container.wait_ready()
    with ThreadPoolExecutor(16) as clients:
        assert list(clients.map(lambda _: species(container), range(200))) == [SPECIES] * 200


def test_run_15_log_goes_to_stdout_and_stderr(sample: Container) -> None:
    before = len(sample.log_events("request"))
    species(sample)
    wait_until(lambda: len(sample.log_events("request")) > before, 5, "the request is logged")


@pytest.mark.parametrize("terminal", [(), ("-i", "-t")], ids=["without", "with"])
def test_run_16_needs_no_terminal_and_bears_one(terminal: tuple[str, ...], run: Run, model_dir: Path) -> None:
    """Local mode gives one, the platform none."""
    container = run(model_dir=model_dir, options=(*HARDENED, *terminal))
    container.wait_ready()
    assert species(container) == SPECIES


def test_run_17_restarted_container_gives_the_same_answers(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir)
    container.wait_ready()
    docker("kill", container.name)  # leaves what a run leaves: sockets, the readiness file
    docker("start", container.name)
    container.port = container._published_port()
    container.wait_ready()
    assert species(container) == SPECIES


def test_run_18_corrupt_artifact_ends_it_with_an_error(run: Run, model_dir: Path, tmp_path: Path) -> None:
    """Never a 200 on /ping; the last line says what is wrong."""
    copy = open_to_all(shutil.copytree(model_dir, tmp_path / "model"))
    (copy / "model.joblib").write_bytes(b"not a model")
    container = run(model_dir=copy, expect=("worker_failed", "startup_failed"))
    assert container.wait_exit(60) not in (0, 137)
    assert "model.joblib" in container.log().splitlines()[-1]


def test_run_19_killed_worker_is_replaced(run: Run, obedient_dir: Path) -> None:
    container = run(model_dir=obedient_dir, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}, expect=("worker",))
    container.wait_ready()
    killed = container.invoke({}).json()["pid"]
    container.execute("sh", "-c", f"kill -9 {killed}")
    wait_until(lambda: container.invoke({}).status == 200, 30, "another worker answers")
    assert container.invoke({}).json()["pid"] != killed


def test_run_20_unknown_variables_are_harmless(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, env=PLATFORM_ENVIRONMENT)
    container.wait_ready()
    assert species(container) == SPECIES


@pytest.mark.parametrize("value", ["true", "True"])
def test_bt_01_batch_variable_does_not_alter_readiness(value: str, run: Run, model_dir: Path) -> None:
    run(model_dir=model_dir, env={"SAGEMAKER_BATCH": value}).wait_ready()


def test_run_21_workers_do_not_exceed_the_cpu_limit(run: Run, model_dir: Path) -> None:
    """os.cpu_count() tells the host's: 129 workers on one CPU have been seen elsewhere."""
    container = run(model_dir=model_dir, options=(*HARDENED, "--cpus", "1"))
    container.wait_ready()
    (event,) = container.log_events("workers")
    assert event["workers"] == 1


def test_run_22_is_ready_long_before_3_minutes(run: Run, model_dir: Path) -> None:
    assert run(model_dir=model_dir).wait_ready() < 60
