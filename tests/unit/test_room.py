"""Whether another model fits: by what is free, what was promised, and what the model took before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from container import room
from container.errors import InsufficientStorage
from container.resources import MEGABYTE, Limit
from container.room import Room, confine, own_bytes

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


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux")
def test_a_process_that_takes_more_than_it_may_gets_a_memory_error() -> None:
    pid = os.fork()
    if pid == 0:
        confine(50 * MEGABYTE)
        code = 1
        try:
            bytearray(100 * MEGABYTE)
        except MemoryError:
            confine(0)
            code = 0 if len(bytearray(100 * MEGABYTE)) else 2
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux")
def test_own_memory_grows_with_what_is_held() -> None:
    before = own_bytes()
    held = bytearray(os.urandom(20 * MEGABYTE))
    assert own_bytes() - before > 15 * MEGABYTE
    del held
