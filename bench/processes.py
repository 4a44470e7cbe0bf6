"""What processes use: CPU and memory of a server's whole family, and how busy the machine is. Linux only: /proc.

Used by servers, load, overload, slow_clients and soak.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def family(root: int, tag: str) -> set[int]:
    """The processes that root started: by session, by descent, or by the tag in their environment."""
    table = _table()
    tagged = tag.encode()
    found = {pid for pid, (_, session, _) in table.items() if session == root or tagged in _environment(pid)}
    while more := {pid for pid, (parent, _, _) in table.items() if parent in found} - found:
        found |= more
    return found


def cpu_s(pids: set[int]) -> float:
    """Seconds of CPU that these processes have used, user and system."""
    table = _table()
    return sum(table[pid][2] for pid in pids if pid in table) / TICKS_PER_S


def pss_mb(pids: set[int]) -> float:
    """Memory of these processes in MB, a page that several share counted once: the sum of their PSS."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def resident_mb(pid: int) -> float:
    """Memory of a process in MB, pages that it shares too; 0 when it has ended."""
    fields = _read(PROC / str(pid) / "statm").split()
    return int(fields[1]) * PAGE_BYTES / 1024 / 1024 if fields else 0.0


def command_of(pid: int) -> tuple[int, str]:
    """The parent and the command line of a process; 0 and nothing when it has ended."""
    fields = _read(PROC / str(pid) / "stat").rpartition(b")")[2].split()
    command = _read(PROC / str(pid) / "cmdline").replace(b"\0", b" ").decode(errors="replace")
    return (int(fields[1]) if fields else 0), command


def busy_s() -> float:
    """Seconds of CPU that the whole machine has used, and that its host took away, since it was started."""
    ticks = [int(word) for word in (PROC / "stat").read_text().splitlines()[0].split()[1:]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks[:8]) - idle - waiting) / TICKS_PER_S  # guest time, the rest, is in user time already: proc(5)


def wait_quiet(limit_s: float, cores: float = 0.25) -> None:
    """Wait until the machine uses less than so many cores, for at most limit_s."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        before_s, started = busy_s(), time.monotonic()
        time.sleep(0.4)
        if (busy_s() - before_s) / (time.monotonic() - started) < cores:
            return


def _table() -> dict[int, tuple[int, int, int]]:
    """Process id -> parent, session, CPU ticks; without those that have ended and wait to be reaped."""
    found = {}
    for path in PROC.glob("[0-9]*"):
        fields = _read(path / "stat").rpartition(b")")[2].split()
        if fields and fields[0] != b"Z":
            found[int(path.name)] = (int(fields[1]), int(fields[3]), int(fields[11]) + int(fields[12]))
    return found


def _environment(pid: int) -> bytes:
    return _read(PROC / str(pid) / "environ")


def _pss_kb(pid: int) -> int:
    lines = _read(PROC / str(pid) / "smaps_rollup").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Pss:")), 0)


def _read(path: Path) -> bytes:
    """The file's bytes; nothing when the process has ended or is not ours to look at."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
