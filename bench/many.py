"""Many small models in one server: python -m bench.many [--models 1000] [--places 100] [--rounds 5] [--parts warm,...]

crowd: all are loaded, listed, asked, unloaded, with fewer processes than models: time, memory, a scrape of /metrics.
warm: one of them beside a server of a single model, in the same rounds: p99 and answers a second.
cycles: a model loaded, asked and unloaded again and again: what stays. workers: one that computes, with one and two.
`make bench-models` runs it; docs/multi-model.md has the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeVar

from bench import assets
from bench.environments import BUILD_DIR
from bench.load import Figures, load
from bench.machine import alone, prepare, say
from bench.of_many import BODY, ROW, SINGLE, Many
from bench.processes import cpu_s, wait_quiet
from bench.ratios import Spread, by_round
from bench.raw import Measurement, Result, conditions
from bench.servers import Failed, Running
from bench.slots import Form, Unknown

SAVE = BUILD_DIR / "models.json"
CONNECTIONS = (1, 8, 64)
WORK_S = 0.01
WORKS = f"""
import time
def model_fn(model_dir): pass
def predict_fn(data, model):
    end_s = time.thread_time() + {WORK_S}
    while time.thread_time() < end_s: pass
    return [0]
"""
Server = TypeVar("Server", bound=Running)
SETTLE_S = 12.0  # until nobody weighs its memory any more, which a process does ten seconds after a request


def crowd(options: argparse.Namespace) -> Iterator[tuple[str, str, Figures]]:
    """All models, most of which sleep."""
    names = [f"m{number:04}" for number in range(options.models)]
    with serving(Many(SERVING_MODEL_PROCESSES=str(options.places))) as server:
        for name in names:
            server.put(name)
        figures: Figures = {"models": len(names), "places": options.places, "empty_mb": server.pss_mb()}
        figures |= timed("load", [lambda name=name: server.load(name) for name in names])
        figures |= {"loaded_mb": server.pss_mb(), "listed": server.listed() == names}
        figures |= timed("cold", [lambda name=name: server.invoke(name) for name in names])
        figures |= {"asked_mb": server.pss_mb(), "scrape_bytes": len(server.must("GET", "/metrics"))}
        figures |= timed("scrape", [lambda: server.must("GET", "/metrics")] * 20)
        time.sleep(SETTLE_S if len(names) > 100 else 0)
        before_s, began_s = cpu_s(server.pids()), time.monotonic()
        time.sleep(5 if len(names) > 100 else 1)
        figures["idle_cores"] = round((cpu_s(server.pids()) - before_s) / (time.monotonic() - began_s), 3)
        figures |= timed("unload", [lambda name=name: server.must("DELETE", f"/models/{name}") for name in names])
        yield "many", "crowd", figures | {"unloaded_mb": server.pss_mb()}


def warm(options: argparse.Namespace) -> Iterator[tuple[str, str, Figures]]:
    """One of all models that are loaded, and the single one, by turns."""
    form = Form("/models/m0000/invoke", ROW.content_type, ROW.payload, ROW.answer)
    names = [f"m{number:04}" for number in range(options.models)]
    with (
        serving(Many(SERVING_MODEL_PROCESSES=str(options.places))) as many,
        serving(Running(SINGLE, assets.ASSETS_DIR / "m1", 2)) as single,
    ):
        for name in names:
            many.put(name)
            many.load(name)
        for connections in CONNECTIONS:
            for number in range(options.rounds + 1):  # the first is to warm up
                for server, asked in ((single, ROW), (many, form)):
                    figures = load(server, asked, BODY, connections, options.seconds)
                    if number:
                        yield server.peer.name, f"warm:{connections}", figures


def cycles(options: argparse.Namespace) -> Iterator[tuple[str, str, Figures]]:
    """A model comes and goes."""
    with serving(Many()) as server:
        server.put("m")

        def cycle() -> None:
            server.load("m")
            server.invoke("m")
            server.must("DELETE", "/models/m")

        for _ in range(3):
            cycle()
        before = {"before_mb": server.pss_mb(), "before_files": server.open_files()}
        figures = timed("cycle", [cycle] * options.models)
        after = {"after_mb": server.pss_mb(), "after_files": server.open_files()}
        yield "many", "cycles", {"cycles": options.models, **before, **figures, **after}


def workers(options: argparse.Namespace) -> Iterator[tuple[str, str, Figures]]:
    """A model that keeps a core busy, one request at a time."""
    form = replace(ROW, path="/models/works/invoke")
    for number in range(options.rounds):
        for count in (1, 2) if number % 2 else (2, 1):
            with serving(Many(count)) as server:
                server.put("works", WORKS)
                server.load("works")
                load(server, form, BODY, 8, max(3, options.seconds))  # until a crowded model has its second process
                yield "many", f"workers:{count}", load(server, form, BODY, 8, options.seconds)


PARTS = {"crowd": crowd, "warm": warm, "cycles": cycles, "workers": workers}


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Ready inside of the block."""
    with server:
        server.wait_ready()
        yield server


def timed(name: str, calls: list[Any]) -> Figures:
    """Seconds of all calls, one after the other, and how long one took."""
    spent_ms = []
    for call in calls:
        began_s = time.perf_counter()
        call()
        spent_ms.append((time.perf_counter() - began_s) * 1000)
    p99_ms = quantiles(spent_ms, n=100)[98] if len(spent_ms) > 1 else spent_ms[0]
    return {f"{name}_s": round(sum(spent_ms) / 1000, 2), f"{name}_p50_ms": round(median(spent_ms), 2),
            f"{name}_p99_ms": round(p99_ms, 2)}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when an answer was none or a server failed; 2 for words or a machine that this cannot do with."""
    options = read_options(arguments)
    try:
        parts = [PARTS[name] for name in options.parts.split(",")]
        prepare()
    except (KeyError, Unknown) as unknown:
        print(f"many: {unknown}", file=sys.stderr)
        return 2
    assets.make()
    told = {name: getattr(options, name) for name in ("models", "places", "rounds", "seconds")}
    result = Result("models", conditions(**told))
    try:
        for part in parts:
            with alone():
                wait_quiet(options.quiet)
                for peer, cell, figures in part(options):
                    say(f"{peer} {cell}: {json.dumps(figures)}")
                    number = sum((each.peer, each.cell) == (peer, cell) for each in result.measurements)
                    result.measurements.append(Measurement(peer, cell, number, figures))
                    result.write(options.save)
    except Failed as failed:
        print(f"many: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(result.text() if options.output == "json" else table(result))
    return 1 if any(each.figures.get("errors") for each in result.measurements) else 0


def table(result: Result) -> str:
    """What was found, in the median of the rounds."""
    lines = [json.dumps(each.figures) for each in result.measurements if each.cell in ("crowd", "cycles")]
    for connections in CONNECTIONS:
        cell = f"warm:{connections}"
        told = [beside(result, ("ours", cell), ("many", cell), figure) for figure in ("p99_ms", "good_per_s")]
        if all(told):
            lines.append(f"{connections:3} connections: {'; '.join(told)}")
    if scaled := beside(result, ("many", "workers:1"), ("many", "workers:2"), "good_per_s"):
        lines.append(f"one and two workers: {scaled}")
    return "\n".join(lines)


def beside(result: Result, one: tuple[str, str], other: tuple[str, str], figure: str) -> str:
    """Of two peers in their cells both medians, and that of the ratios within each round; empty if there is none."""
    first, second = (by_round(result.measurements, *each, figure) for each in (one, other))
    ratio = Spread.of(second[number] / max(0.001, first[number]) for number in first if number in second)
    if ratio is None:
        return ""
    medians = " and ".join(f"{median(values.values()):,.2f}" for values in (first, second))
    return f"{figure} {medians}, {ratio.middle:.2f} times ({ratio.least:.2f}-{ratio.most:.2f})"


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.many", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=1000, help="and cycles (default: %(default)s)")
    parser.add_argument("--places", type=int, default=100, help="for processes (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default: %(default)s)")
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    parser.add_argument("--quiet", type=float, default=12, help="seconds to wait at most for a quiet machine")
    parser.add_argument("--save", type=Path, default=SAVE, help="default: %(default)s")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
