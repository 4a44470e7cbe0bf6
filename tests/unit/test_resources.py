"""What a container may use, read from files as the kernel writes them, and the workers that follow from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from container.resources import (
    LOADED_SIZE_FACTOR,
    MEGABYTE,
    THREAD_VARIABLES,
    USABLE_MEMORY,
    WORKER_BASE_BYTES,
    Limit,
    cpu_limit,
    directory_bytes,
    memory_limit,
    memory_used,
    plan_workers,
    resident_bytes,
    workers_that_fit,
)

GIGABYTE = 1024 * MEGABYTE
V1_UNLIMITED = "9223372036854771712"


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """A cgroup folder with these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


@pytest.fixture
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 CPUs, so that quotas decide."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)


def v1_quota(quota_us: int) -> dict[str, str]:
    return {"cpu/cpu.cfs_quota_us": str(quota_us), "cpu/cpu.cfs_period_us": "100000"}


@pytest.mark.usefixtures("many_cpus")
@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu.max": "nonsense"}, 64),
        (v1_quota(400000), 4),
        (v1_quota(150000), 1),
        (v1_quota(-1), 64),
        ({"cpu/cpu.cfs_quota_us": "200000"}, 64),
        ({}, 64),
    ],
)
def test_cpus_are_the_quota_of_the_cgroup_rounded_down_to_at_least_one(
    tmp_path: Path, files: Mapping[str, str], cpus: int
) -> None:
    assert cpu_limit(tree(tmp_path, files), {}).value == cpus


@pytest.mark.usefixtures("many_cpus")
def test_the_smallest_limit_of_cpus_wins_and_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path, {"cpu.max": "800000 100000"})
    assert cpu_limit(root, {"PYTHON_CPU_COUNT": "3"}) == Limit(3, "PYTHON_CPU_COUNT")
    assert cpu_limit(root, {"PYTHON_CPU_COUNT": "99"}) == Limit(8, "cgroup quota of 8 CPUs")
    assert cpu_limit(tmp_path / "none", {}) == Limit(64, "CPU affinity")


@pytest.mark.usefixtures("many_cpus")
@pytest.mark.parametrize("text", ["", "default", "-2", "1.5"])
def test_a_cpu_count_that_is_no_number_is_ignored(tmp_path: Path, text: str) -> None:
    assert cpu_limit(tmp_path, {"PYTHON_CPU_COUNT": text}).value == 64


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": str(GIGABYTE)}, Limit(GIGABYTE, "cgroup limit")),
        ({"memory.max": "max"}, Limit(16 * GIGABYTE, "machine memory")),
        ({"memory/memory.limit_in_bytes": str(2 * GIGABYTE)}, Limit(2 * GIGABYTE, "cgroup limit")),
        ({"memory/memory.limit_in_bytes": V1_UNLIMITED}, Limit(16 * GIGABYTE, "machine memory")),
        ({"memory.max": str(64 * GIGABYTE)}, Limit(16 * GIGABYTE, "machine memory")),
        ({}, Limit(16 * GIGABYTE, "machine memory")),
    ],
)
def test_memory_is_the_limit_of_the_cgroup_or_what_the_machine_has(
    tmp_path: Path, files: Mapping[str, str], limit: Limit
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemFree: 1 kB\nMemTotal: {16 * 1024 * 1024} kB\n")
    assert memory_limit(tree(tmp_path / "cgroup", files), meminfo) == limit


def test_memory_is_unknown_where_nothing_tells_it(tmp_path: Path) -> None:
    assert memory_limit(tmp_path, tmp_path / "meminfo") is None


V2 = {"memory.current": "900", "memory.stat": "anon 500\ninactive_file 250\nactive_file 50\nshmem 7"}
V1 = {
    "memory/memory.usage_in_bytes": "900",
    "memory/memory.stat": "cache 400\ninactive_file 1\ntotal_inactive_file 250\ntotal_active_file 50",
}


@pytest.mark.parametrize(("files", "used"), [(V2, 600), (V1, 600), ({"memory.current": "900"}, 900), ({}, 0)])
def test_memory_in_use_is_what_the_cgroup_has_without_files(tmp_path: Path, files: dict[str, str], used: int) -> None:
    assert memory_used(Limit(1000, "cgroup limit"), root=tree(tmp_path, files)) == used


def test_memory_in_use_of_a_machine_is_what_is_not_available(tmp_path: Path) -> None:
    meminfo = tree(tmp_path, {"meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB"}) / "meminfo"
    limit = memory_limit(tmp_path, meminfo)
    assert limit is not None
    assert memory_used(limit, tmp_path, meminfo) == 600 * 1024


def test_this_machine_tells_its_limits() -> None:
    memory = memory_limit()
    assert cpu_limit().value >= 1
    assert memory is not None
    assert memory.value > 64 * MEGABYTE


def test_as_many_workers_start_as_there_are_cpus() -> None:
    planned = plan_workers(0, Limit(4, "CPU affinity"), Limit(64 * GIGABYTE, "memory"), GIGABYTE)
    assert (planned.workers, planned.initial, planned.threads, planned.reason) == (4, 4, 1, "CPU affinity")


def test_the_number_asked_for_starts_whatever_the_memory_and_shares_the_cpus_as_threads() -> None:
    planned = plan_workers(3, Limit(8, "CPUs"), Limit(MEGABYTE, "memory"), GIGABYTE)
    assert (planned.workers, planned.initial, planned.threads) == (3, 3, 2)
    assert plan_workers(9, Limit(8, "CPUs"), None, 0).threads == 1


def test_one_worker_starts_when_all_might_not_fit_the_memory() -> None:
    """At the edge: exactly what is usable fits, a byte less does not."""
    artifact_bytes = 100 * MEGABYTE
    needed = 4 * (WORKER_BASE_BYTES + LOADED_SIZE_FACTOR * artifact_bytes) / USABLE_MEMORY
    enough, short = Limit(int(needed) + 1, "memory"), Limit(int(needed) - 1, "memory")
    assert plan_workers(0, Limit(4, "CPUs"), enough, artifact_bytes).initial == 4
    assert plan_workers(0, Limit(4, "CPUs"), short, artifact_bytes).initial == 1
    assert "measured" in plan_workers(0, Limit(4, "CPUs"), short, artifact_bytes).reason


def test_unknown_memory_limits_nothing() -> None:
    assert plan_workers(0, Limit(4, "CPUs"), None, 1000 * GIGABYTE).initial == 4


@pytest.mark.parametrize(
    ("worker_mb", "memory_mb", "fit"),
    [(100, 1000, 4), (300, 1000, 3), (449, 1000, 2), (600, 1000, 1), (5000, 1000, 1)],
)
def test_as_many_measured_workers_fit_as_usable_memory_holds_and_at_least_one(
    worker_mb: int, memory_mb: int, fit: int
) -> None:
    planned = plan_workers(0, Limit(4, "CPUs"), Limit(1, "memory"), GIGABYTE)
    found, reason = workers_that_fit(planned, Limit(memory_mb * MEGABYTE, "cgroup limit"), worker_mb * MEGABYTE)
    assert found == fit
    assert reason == f"{worker_mb} MB a worker, cgroup limit {memory_mb} MB"


def test_workers_that_cannot_be_measured_are_all_started() -> None:
    planned = plan_workers(0, Limit(4, "CPUs"), Limit(1, "memory"), GIGABYTE)
    assert workers_that_fit(planned, Limit(GIGABYTE, "memory"), 0)[0] == 4
    assert workers_that_fit(planned, None, GIGABYTE)[0] == 4


def test_thread_variables_of_the_user_stay() -> None:
    planned = plan_workers(2, Limit(8, "CPUs"), None, 0)
    found = planned.thread_environment({"OMP_NUM_THREADS": "16"})
    assert found == dict.fromkeys(THREAD_VARIABLES[1:], "4")


def test_the_size_of_a_folder_is_that_of_its_files_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    assert directory_bytes(tmp_path) == 8
    assert directory_bytes(tmp_path / "nowhere") == 0


def test_a_broken_link_in_a_folder_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert directory_bytes(tmp_path) == 0


def test_resident_memory_grows_with_what_is_held() -> None:
    before = resident_bytes()
    held = bytearray(b"x") * (64 * MEGABYTE)
    assert resident_bytes() - before > 32 * MEGABYTE
    assert len(held) == 64 * MEGABYTE
