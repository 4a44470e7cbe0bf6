"""Fixtures of the tests of deploy/: the double of AWS, an environment without any account, the guard around both.

`double` is as new for each test. `environment` is for child processes; this process has it too while a test runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deploy.double import Double
from tests.deploy.double.server import reset
from tests.deploy.environment import closed
from tests.deploy.loopback import LOG, guard


def pytest_configure(config: pytest.Config) -> None:
    """moto warns of errors that the service models do not list, such as throttling."""
    config.addinivalue_line("filterwarnings", r"ignore:Exception\(Refusal\) with code:UserWarning")


@pytest.fixture
def double(one_double: Double) -> Iterator[Double]:
    """AWS, with nothing in it."""
    reset(one_double)
    yield one_double
    assert one_double.broken == []


@pytest.fixture
def environment(one_double: Double, tmp_path: Path) -> dict[str, str]:
    """The whole environment of a child process that speaks to the double."""
    return closed(one_double.url, tmp_path)


@pytest.fixture(autouse=True)
def nothing_leaves(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment and the guard for this process; a test whose code tried to leave the machine has failed."""
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    boto3.DEFAULT_SESSION = None
    guard.enforce()
    yield
    guard.on = False
    assert refused(environment) == []


def refused(environment: dict[str, str]) -> list[str]:
    """What this process and its children were refused, each told once."""
    log = Path(environment[LOG])
    told = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    guard.refused.clear()
    return told


@pytest.fixture(scope="session")
def clients() -> dict[str, Any]:
    """Each is made once: botocore reads 20 MB of models for them."""
    return {}


@pytest.fixture
def client(double: Double, clients: dict[str, Any]) -> Callable[[str], Any]:
    """client("sagemaker"): boto3's, speaking to the double."""

    def of(service: str) -> Any:
        if service not in clients:
            clients[service] = boto3.Session().client(service)
        return clients[service]

    return of


@pytest.fixture
def sagemaker(client: Callable[[str], Any]) -> Any:
    return client("sagemaker")
