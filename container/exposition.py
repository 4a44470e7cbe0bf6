"""The text of GET /metrics: what all workers counted, and what the supervisor knows of them. Called by the supervisor.

The file that it writes is answered by nginx, so that a scrape never waits behind a prediction. Numbers are at most a
second old. Standard library only: it runs in PID 1. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from container import files, resources
from container.tally import COUNT, DOUBLE_BYTES, HISTOGRAMS, OFFSETS, PREFIX, STATUSES, TIMES_MS

FILE = "metrics"
MODELS_FILE = "metrics-models"
PERIOD_S = 1.0
STAGES = ("queue", "decode", "predict", "encode")


class Exposition:
    """The file, and the numbers of workers that are gone."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._gone = [0.0] * COUNT
        self._written_s = -PERIOD_S
        self.started = time.time()
        self.by_nginx: dict[int, int] = {}
        """Status -> requests that no worker counted: nginx answered them itself, or an app of the old style did."""
        self.exits = Counter({"gunicorn": 0, "nginx": 0, "worker": 0})
        self.load_s = 0.0

    def add(self, status: int, weight: int) -> None:
        """A line of nginx's log, which stands for weight requests."""
        self.by_nginx[status] = self.by_nginx.get(status, 0) + weight

    def write(self, workers: Iterable[int], ready: int) -> None:
        """Write the file, not more than once a second. workers: their pids."""
        now_s = time.monotonic()
        if now_s - self._written_s < PERIOD_S:
            return
        self._written_s = now_s
        text = "".join(f"{line}\n" for line in self._lines(workers, ready)) + self._of_models()
        files.put(self._run_dir / FILE, text)

    def _lines(self, workers: Iterable[int], ready: int) -> Iterator[str]:
        numbers = self._sum()
        yield from family("serving_requests_total", "counter", "Answered requests by status.", self._requests(numbers))
        seconds = (_histogram("serving_stage_seconds", stage, numbers, f'stage="{stage}"') for stage in STAGES)
        yield from family("serving_stage_seconds", "histogram", "Time of a request's stages.", *seconds)
        yield from family(
            "serving_request_seconds", "histogram", "Time of a whole request, from nginx on.",
            _histogram("serving_request_seconds", "request", numbers),
        )  # fmt: skip
        yield from family(
            "serving_batch_rows", "histogram", "Rows of the predict call that a request was part of.",
            _histogram("serving_batch_rows", "batch_rows", numbers),
        )  # fmt: skip
        for name, text in (("rows", "Rows of all requests."), ("bytes_in", "Bytes of request bodies."),
                           ("bytes_out", "Bytes of answers.")):  # fmt: skip
            metric = f"serving_{name}_total"
            yield from family(metric, "counter", text, [f"{metric} {numbers[OFFSETS[name]]:.0f}"])
        yield from self._own(workers, ready)

    def _own(self, workers: Iterable[int], ready: int) -> Iterator[str]:
        exits = [f'serving_exits_total{{program="{name}"}} {count}' for name, count in self.exits.items()]
        yield from family("serving_exits_total", "counter", "Processes that ended, for whatever reason.", exits)
        yield from _gauge("serving_workers_ready", "Workers that would serve a request now.", ready)
        yield from _gauge("serving_model_load_seconds", "What the last worker took to load and warm up.", self.load_s)
        yield from _gauge("serving_start_time_seconds", "Unix time of the server's start.", round(self.started, 3))
        sizes = {pid: resources.resident_bytes(pid) for pid in workers}
        memory = [f'serving_worker_memory_bytes{{pid="{pid}"}} {size}' for pid, size in sizes.items() if size]
        text = "Resident memory of each worker; pages that forks share count in each."
        yield from family("serving_worker_memory_bytes", "gauge", text, memory)

    def _of_models(self) -> str:
        """What the keeper of many models has written, if there is one."""
        try:
            return (self._run_dir / MODELS_FILE).read_text()
        except FileNotFoundError:
            return ""

    def _requests(self, numbers: list[float]) -> list[str]:
        counts = {status: int(numbers[status]) + self.by_nginx.get(status, 0) for status in range(STATUSES)}
        return [f'serving_requests_total{{status="{status}"}} {count}' for status, count in counts.items() if count]

    def _sum(self) -> list[float]:
        """All numbers together. Those of a process that is gone are kept here, and its file is removed."""
        total = list(self._gone)
        for path in self._run_dir.glob(f"{PREFIX}*"):
            numbers = _read(path)
            total = [a + b for a, b in zip(total, numbers, strict=True)]
            if not _lives(int(path.name.removeprefix(PREFIX))):
                self._gone = [a + b for a, b in zip(self._gone, numbers, strict=True)]
                path.unlink()
        return total


def _read(path: Path) -> list[float]:
    data = path.read_bytes().ljust(COUNT * DOUBLE_BYTES, b"\0")  # shorter while it is being made
    return list(memoryview(data).cast("d"))


def _histogram(metric: str, name: str, numbers: list[float], label: str = "") -> list[str]:
    bounds, start = HISTOGRAMS[name], OFFSETS[name]
    unit = 1000 if bounds is TIMES_MS else 1  # the metrics' times are in seconds
    counts, comma = numbers[start : start + len(bounds) + 1], "," if label else ""
    lines, below = [], 0
    for bound, count in zip((*bounds, None), counts, strict=True):
        below += int(count)
        most = "+Inf" if bound is None else f"{bound / unit:g}"
        lines.append(f'{metric}_bucket{{{label}{comma}le="{most}"}} {below}')
    braces = f"{{{label}}}" if label else ""
    total = numbers[start + len(bounds) + 1] / unit
    return [*lines, f"{metric}_sum{braces} {total:.6f}", f"{metric}_count{braces} {below}"]


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    return family(name, "gauge", text, [f"{name} {value}"])


def family(name: str, kind: str, text: str, *samples: Iterable[str]) -> Iterator[str]:
    """The lines of one metric."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for lines in samples:
        yield from lines


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
