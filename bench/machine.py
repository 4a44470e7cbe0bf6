"""What every benchmark needs of the machine: Linux, wrk and nginx, no other benchmark, an orderly end.

Used by the programs of bench/.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bench.slots import Unknown

LOCK = Path(os.environ.get("BENCH_LOCK", Path(tempfile.gettempdir()) / "bench.lock"))
SBIN = ":/usr/sbin:/usr/local/sbin"
"""Where Debian has nginx, and users' PATH does not look."""

NEEDS = {"wrk": "bench/ensure_wrk.sh", "nginx": "local_test/ensure_nginx.sh"}


def prepare() -> None:
    """Make SIGTERM do what Ctrl-C does, and nginx found. Raises Unknown as check does."""
    check()
    os.environ["PATH"] += SBIN
    signal.signal(signal.SIGTERM, _stop)


def check() -> None:
    """Raises Unknown for a machine that we cannot measure on."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise Unknown("CPU and memory are read from /proc, which only Linux has; run it in a Linux container")
    for program, script in NEEDS.items():
        if shutil.which(program, path=os.environ["PATH"] + SBIN) is None:
            raise Unknown(f"{program} is not installed; {script} installs it or says how")


def _stop(*_: int | FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine's lock: two benchmarks at once would measure each other."""
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another benchmark runs on this machine; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
