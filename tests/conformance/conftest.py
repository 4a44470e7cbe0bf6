"""The twin's image, built once a session, and the judge. Without a Docker engine the tests skip, in CI they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.derived import built
from tests.conformance.judge import TWIN_DIR, Judge
from tests.image.conftest import engine  # noqa: F401 - the fixture that skips without an engine


@pytest.fixture(scope="session")
def twin_image(engine: None) -> str:  # noqa: F811
    return built("conformance-twin", TWIN_DIR)


@pytest.fixture(scope="session")
def judge(twin_image: str) -> Judge:
    return Judge(twin_image)


@pytest.fixture(autouse=True)
def quiet_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds an AWS account by accident."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A request that the twin answers, in a file."""
    path = tmp_path / "payload.csv"
    path.write_text("1,2\n3,4\n")
    return path
