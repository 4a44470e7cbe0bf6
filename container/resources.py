"""What this container may use, and how many workers that allows.

Called by the supervisor before it starts gunicorn. Standard library only: it runs in PID 1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1024 * 1024
WORKER_BASE_BYTES = 250 * MEGABYTE  # Python, Flask, numpy, scikit-learn or spaCy: measured 110 to 200 MB a worker
LOADED_SIZE_FACTOR = 4  # a compressed joblib file or a spaCy folder takes up to about this much more when loaded
USABLE_MEMORY = 0.9  # the rest is for request bodies, nginx and the supervisor
MACHINE = "machine memory"
UNLIMITED_BYTES = 1 << 60  # cgroup v1 writes "no limit" as a number near 2^63

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


@dataclass(frozen=True)
class Limit:
    """A number and where it was read, for the log."""

    value: int
    source: str


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers to aim for, how many to start with, the BLAS threads of each, and why."""

    workers: int
    initial: int
    threads: int
    reason: str

    def thread_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """BLAS and OpenMP size their pools when they are imported and know no cgroup; a value of the user's stays."""
        return {name: str(self.threads) for name in THREAD_VARIABLES if name not in environ}


def cpu_limit(root: Path = Path("/sys/fs/cgroup"), environ: Mapping[str, str] = os.environ) -> Limit:
    """The CPUs this process may use: affinity, cgroup quota (rounded down, at least 1) or PYTHON_CPU_COUNT."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [Limit(affinity, "CPU affinity")]
    if (quota := _cpu_quota(root)) is not None:
        limits.append(Limit(max(1, int(quota)), f"cgroup quota of {quota:g} CPUs"))
    if environ.get("PYTHON_CPU_COUNT", "").isdigit():
        limits.append(Limit(max(1, int(environ["PYTHON_CPU_COUNT"])), "PYTHON_CPU_COUNT"))
    return min(limits, key=lambda limit: limit.value)


def memory_limit(root: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> Limit | None:
    """The bytes this container may use: the cgroup's limit or the machine's memory; None where neither is told."""
    cgroup = _number(root / "memory.max") or _number(root / "memory/memory.limit_in_bytes")
    machine = _machine_memory(meminfo)
    limits = [Limit(cgroup, "cgroup limit")] if cgroup and cgroup < UNLIMITED_BYTES else []
    limits += [Limit(machine, MACHINE)] if machine else []
    return min(limits, key=lambda limit: limit.value, default=None)


def memory_used(limit: Limit, root: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> int:
    """How much of a memory limit is in use; what the kernel has read from files does not count, it gives that back."""
    if limit.source == MACHINE:
        return _meminfo(meminfo, "MemTotal") - _meminfo(meminfo, "MemAvailable")
    if (used := _number(root / "memory.current")) is not None:
        return used - _files_in_memory(root / "memory.stat", "")
    used = _number(root / "memory/memory.usage_in_bytes")
    return (used or 0) - _files_in_memory(root / "memory/memory.stat", "total_")


def plan_workers(requested: int, cpus: Limit, memory: Limit | None, artifact_bytes: int) -> WorkerPlan:
    """As many workers as CPUs, unless their memory might not fit: then start with one and measure it."""
    if requested:
        return WorkerPlan(requested, requested, max(1, cpus.value // requested), "SAGEMAKER_MODEL_SERVER_WORKERS")
    workers = cpus.value
    estimate = workers * (WORKER_BASE_BYTES + LOADED_SIZE_FACTOR * artifact_bytes)
    if workers > 1 and memory is not None and estimate > USABLE_MEMORY * memory.value:
        reason = f"{cpus.source}; the first worker is measured because {workers} might not fit the {memory.source}"
        return WorkerPlan(workers, 1, 1, reason)
    return WorkerPlan(workers, workers, 1, cpus.source)


def workers_that_fit(plan: WorkerPlan, memory: Limit | None, worker_bytes: int) -> tuple[int, str]:
    """The planned workers, cut to what the memory holds at the measured size of one, and the reason."""
    if memory is None or worker_bytes <= 0:
        return plan.workers, "memory unknown"
    fit = max(1, int(USABLE_MEMORY * memory.value / worker_bytes))
    measured = f"{worker_bytes // MEGABYTE} MB a worker, {memory.source} {memory.value // MEGABYTE} MB"
    return min(plan.workers, fit), measured


def directory_bytes(directory: Path) -> int:
    """The size of all files below a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def resident_bytes(pid: int | str = "self") -> int:
    """The resident memory of a process; 0 where it has ended, or /proc is not there."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _cpu_quota(root: Path) -> float | None:
    """CPUs by cgroup v2 `cpu.max` ("200000 100000" or "max 100000"), else by v1's two files (-1 means none)."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        limit, length = _number(root / "cpu/cpu.cfs_quota_us"), _number(root / "cpu/cpu.cfs_period_us")
        return limit / length if limit and limit > 0 and length else None
    return None if quota == "max" else int(quota) / int(period)


def _machine_memory(meminfo: Path) -> int | None:
    return _meminfo(meminfo, "MemTotal") or None


def _meminfo(meminfo: Path, name: str) -> int:
    """A line of /proc/meminfo in bytes; 0 where it is not there."""
    try:
        return next(
            int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith(f"{name}:")
        )
    except (OSError, StopIteration):
        return 0


def _files_in_memory(stat: Path, prefix: str) -> int:
    try:
        numbers = dict(line.split() for line in stat.read_text().splitlines())
    except OSError:
        return 0
    return sum(int(numbers.get(f"{prefix}{name}", 0)) for name in ("inactive_file", "active_file"))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or the word "max"
        return None
