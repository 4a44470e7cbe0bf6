"""What GET /metrics says of each of many models: the keeper writes it into a file, which exposition adds to its own.

Called by the repository. All that any model counts is added to the keeper's own tally, so that the supervisor reads one
file, however many processes there are. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from container import files
from container.exposition import MODELS_FILE, family
from container.served import Process, Served
from container.tally import HISTOGRAMS, OFFSETS, STATUSES, TALLY

EXPOSED = 100
"""Models with series of their own, those used last: a thousand would be a megabyte a scrape."""
PREDICT_SUM = OFFSETS["predict"] + len(HISTOGRAMS["predict"]) + 1
CLASSES = {f"{first}xx": slice(100 * first, 100 * first + 100) for first in range(2, STATUSES // 100)}

Value = Callable[[Served], float]
OF_A_MODEL: dict[str, tuple[str, str, Value]] = {
    "serving_model_predict_seconds_total": (
        "counter", "Time that predict_fn took of requests for a model.", lambda model: model.counts.predict_s,
    ),
    "serving_model_starts_total": (
        "counter", "Processes that have loaded a model.", lambda model: model.counts.starts,
    ),
    "serving_model_evictions_total": (
        "counter", "How often a model was put to sleep for others.", lambda model: model.counts.evictions,
    ),
    "serving_model_processes": (
        "gauge", "Processes that a model has.", lambda model: len(model.processes),
    ),
    "serving_model_memory_bytes": (
        "gauge", "Memory of a model's processes that they share with no other.", lambda model: model.memory_bytes,
    ),
}  # fmt: skip


class Metrics:
    """The file, and what was counted."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / MODELS_FILE
        self._written: tuple[int, ...] = ()
        self._news = False

    def add(self, process: Process) -> None:
        """Add up what a process has counted since the last time."""
        news = process.slot.news()
        if news is None:
            return
        self._news = True
        total = TALLY.numbers
        for place, more in enumerate(news):
            if more:
                total[place] += more
        counts = process.model.counts
        counts.predict_s += news[PREDICT_SUM] / 1000
        for name, statuses in CLASSES.items():
            if more := int(sum(news[statuses])):
                counts.answers[name] = counts.answers.get(name, 0) + more

    def write(self, models: Collection[Served], evictions: int, wakes: int) -> None:
        """Write the file, unless nothing has happened."""
        state = (len(models), sum(len(model.processes) for model in models), evictions, wakes)
        if state == self._written and not self._news:
            return
        self._written, self._news = state, False
        files.put(self._path, "".join(f"{line}\n" for line in _lines(models, evictions, wakes)))


def _lines(models: Collection[Served], evictions: int, wakes: int) -> Iterator[str]:
    loaded = [model for model in models if model.loaded]
    awake = [model for model in loaded if model.processes]
    yield from family("serving_models", "gauge", "Models that are loaded: awake have a process.", [
        f'serving_models{{state="awake"}} {len(awake)}', f'serving_models{{state="asleep"}} {len(loaded) - len(awake)}',
    ])  # fmt: skip
    for metric, text, value in (
        ("serving_evictions_total", "How often a model was put to sleep for another.", evictions),
        ("serving_wakes_total", "How often a model that slept was loaded again.", wakes),
    ):
        yield from family(metric, "counter", text, [f"{metric} {value}"])
    told = sorted(awake, key=lambda model: model.used_s, reverse=True)[:EXPOSED]
    labels = {model: f'model="{_escaped(model.name)}"' for model in told}
    metric = "serving_model_requests_total"
    yield from family(metric, "counter", "Answers of a model, by class of status.", (
        f'{metric}{{{label},class="{name}"}} {count}'
        for model, label in labels.items() for name, count in model.counts.answers.items()
    ))  # fmt: skip
    for metric, (kind, text, measure) in OF_A_MODEL.items():
        values = ((label, measure(model)) for model, label in labels.items())
        yield from family(metric, kind, text, (f"{metric}{{{label}}} {number:.15g}" for label, number in values))


def _escaped(value: str) -> str:
    """A label's value. Source: Prometheus, exposition formats."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
