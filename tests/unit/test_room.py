"""Whether another model fits: by what is free, what was promised, and what the model took before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from container import room
from container.errors import InsufficientStorage
from container.resources import MEGABYTE, Limit
from container.room import Room
from tests.docs.pages import ROOT

LIMIT = Limit(1000 * MEGABYTE, "cgroup limit")


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """used(MB): so much of the limit is in use."""

    def use(megabytes: int) -> None:
        monkeypatch.setattr(room, "memory_used", lambda _limit: megabytes * MEGABYTE)

    use(400)
    return use


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """100 MB of files."""
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(100 * MEGABYTE)
    return str(tmp_path)


def test_a_load_may_take_what_is_free_less_a_tenth_for_requests(used: Callable[[int], None], folder: str) -> None:
    assert Room(LIMIT).reserve("a", folder) == 500 * MEGABYTE


def test_files_that_are_larger_than_what_is_free_are_refused(used: Callable[[int], None], folder: str) -> None:
    used(850)
    with pytest.raises(InsufficientStorage, match="takes about 100 MB, and 50 MB of 1000"):
        Room(LIMIT).reserve("a", folder)


def test_what_a_model_took_before_decides_the_next_time(used: Callable[[int], None], folder: str) -> None:
    tight = Room(LIMIT)
    tight.reserve("a", folder)
    tight.settle("a", folder, 600 * MEGABYTE)
    with pytest.raises(InsufficientStorage, match="takes about 600 MB"):
        tight.reserve("a", folder)


def test_loads_at_once_are_promised_no_memory_twice(used: Callable[[int], None], folder: str) -> None:
    tight = Room(LIMIT)
    used(750)
    tight.reserve("a", folder)
    with pytest.raises(InsufficientStorage):
        tight.reserve("b", folder)
    tight.settle("a", folder)
    tight.reserve("b", folder)


def test_without_a_limit_nothing_is_refused(folder: str) -> None:
    assert Room(None).reserve("a", folder) == 0


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux")
TAKES_TOO_MUCH = """
from container.room import confine
confine(50 << 20)
try:
    bytearray(100 << 20)
except MemoryError:
    confine(0)
    print(len(bytearray(100 << 20)))
"""
HOLDS = """
import os
from container.room import own_bytes
before = own_bytes()
held = os.urandom(20 << 20)
print(own_bytes() - before)
"""


def printed_by(program: str) -> int:
    """What a process of its own prints: in this one, memory that was freed may be given out again."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


@ON_LINUX
def test_a_process_that_takes_more_than_it_may_gets_a_memory_error() -> None:
    assert printed_by(TAKES_TOO_MUCH) == 100 * MEGABYTE


@ON_LINUX
def test_own_memory_grows_with_what_is_held() -> None:
    assert printed_by(HOLDS) > 15 * MEGABYTE
