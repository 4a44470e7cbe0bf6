"""The twin's image, built once a session, and the judge. Without a Docker engine the tests skip, in CI they fail."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.judge import TWIN_DIR, Judge
from tests.image.conftest import engine  # noqa: F401 - the fixture that skips without an engine
from tests.image.container import buildkit_environment, docker


@pytest.fixture(scope="session")
def twin_image(engine: None) -> str:  # noqa: F811
    """Its tag is the hash of its files."""
    digest = hashlib.sha256()
    for path in sorted(TWIN_DIR.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    tag = f"conformance-twin:{digest.hexdigest()[:12]}"
    if not docker("images", "-q", tag):
        command = ["docker", "build", "-q", "-t", tag, str(TWIN_DIR)]
        done = subprocess.run(command, env=buildkit_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return tag


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
