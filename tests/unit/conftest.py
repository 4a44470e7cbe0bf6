"""Fixtures of the tests of many models: the keeper that is played, folders, a repository."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.repository import Repository
from container.room import Room
from container.settings import Settings
from tests.unit.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # short, for sockets
        base = Path(folder).resolve()
        for name in ("models/a", "models/b", "run"):
            (base / name).mkdir(parents=True)
        yield Settings(base_dir=base, run_dir=base / "run")


@pytest.fixture
def repository(settings: Settings, stage: Stage) -> Repository:
    made = Repository(settings, stage, Room(None), workers=2)
    made.open()
    return made
