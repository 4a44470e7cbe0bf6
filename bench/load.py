"""Load from wrk on one server, and what it cost: good answers a second, latency, errors, CPU, where the time went.

Used by races, growth, profile and slow_clients.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import busy_s, cpu_s
from bench.servers import Failed, Running
from bench.slots import Form
from bench.stages import read_stages, whole_ms

SCRIPT = Path(__file__).with_name("wrk.lua")
Figures = dict[str, Any]


def load(server: Running, form: Form, payload: Path, connections: int, seconds: float) -> Figures:
    """Ask again and again over kept connections. Raises Failed when wrk has nothing to tell.

    good_per_s counts answers with 2xx or 3xx; foreign_cores is what neither the server nor wrk used.
    """
    log_start = server.log_path.stat().st_size
    before, pids = _used(server.pids()), server.pids()
    with wrk(f"http://127.0.0.1:{server.port}{form.path}", form, payload, connections, seconds) as process:
        told = counted(process)
    after = _used(pids)
    took_s, machine_s, server_s, wrk_s = (end - start for start, end in zip(before, after, strict=True))
    good = max(0, told["requests"] - told["refused"])
    return {
        "good_per_s": round(good * 1e6 / told["took_us"], 2),
        **{f"{name}_ms": round(told[f"{name}_us"] / 1000, 3) for name in ("p50", "p99", "max")},
        "good": good,
        "errors": told["refused"] + told["socket"] + told["timeout"],
        "cpu_us": round(server_s * 1e6 / max(1, told["requests"])),
        "server_cores": round(server_s / took_s, 2),
        "foreign_cores": round(max(0.0, machine_s - server_s - wrk_s) / took_s, 2),
        **_stages(server.log_path, log_start, connections, told),
    }


@contextmanager
def wrk(url: str, form: Form, payload: Path, connections: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """wrk at work, gone after the block. One thread: the machine's other cores are the server's."""
    words = f"wrk -t1 -c{connections} -d{seconds:g}s --timeout 10s --latency -s".split()
    env = {**os.environ, "BENCH_BODY": str(payload), "BENCH_TYPE": form.content_type}
    env["BENCH_ACCEPT"] = form.headers["Accept"]
    with subprocess.Popen(
        [*words, str(SCRIPT), url], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def counted(process: subprocess.Popen[str]) -> dict[str, int]:
    """Wait for wrk's end; what it counted. Raises Failed when it has nothing to tell."""
    out, _ = process.communicate()
    lines = [line for line in out.splitlines() if line.startswith("JSON ")]
    if not lines:
        raise Failed(f"wrk ended with code {process.returncode}: {out[-300:]}")
    told: dict[str, int] = json.loads(lines[0].removeprefix("JSON "))
    return told


def _used(pids: set[int]) -> tuple[float, float, float, float]:
    """The time; seconds of CPU of the machine, of these processes, of our children that have ended: wrk."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), busy_s(), cpu_s(pids), children.ru_utime + children.ru_stime


def _stages(log_path: Path, start: int, connections: int, told: dict[str, int]) -> Figures:
    """The mean milliseconds of each stage, where the server logs them as ours does."""
    with log_path.open("rb") as log:
        log.seek(start)
        stages = read_stages(log, whole_ms(connections, told))
    return {"stages_ms": stages} if stages else {}
