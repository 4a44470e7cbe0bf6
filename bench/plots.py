"""Plots of a run's raw JSON as SVG files. The only file that imports matplotlib; called by report.

Colours are those of Okabe and Ito, told apart by colour-blind people; every line has a marker of its own as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.contestants import ALL, OURS
from bench.ratios import Spread, spread
from bench.raw import Result
from bench.slots import LOADS, SLOTS, Cell, parse_cells

INK, GREY = "#222222", "#8a8a8a"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6000", "#5D3A9B", "#00524F", "#999999")
MARKERS = "osD^vP*Xhd"
STAGES = {"rest": "#999999", "queue": "#E69F00", "decode": "#009E73", "predict": "#0072B2", "encode": "#CC79A7"}
HATCHES = {"rest": "", "queue": "..", "decode": "\\\\", "predict": "", "encode": "xx"}

mpl.use("svg")
mpl.rcParams.update({
    "svg.fonttype": "none",  # text stays text: small files that can be searched
    "svg.hashsalt": "bench",  # the same figures give the same file
    "font.family": "sans-serif", "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": GREY, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e6e6", "axes.axisbelow": True,
    "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "hatch.color": "white",
    "hatch.linewidth": 0.7, "legend.frameon": False,
})  # fmt: skip


def draw(result: Result, folder: Path) -> list[str]:
    """Write every plot that the result has figures for; their names without .svg."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = GROWTH if result.kind == "growth" else RACES
    return [name for name, plot in plots.items() if _written(plot(result), folder / f"{name}.svg")]


def latency(result: Result) -> Any:
    """p99 against good answers a second: a line for each server, a point for each number of connections."""
    cells = _loads(result)
    slots = [slot for slot in LOADS if len({cell.number for cell in cells if cell.slot == slot}) > 1]
    if not slots:
        return None
    figure, axes = plt.subplots(
        1, len(slots), figsize=(1.5 + 3.6 * len(slots), 4.6), squeeze=False, layout="constrained"
    )
    for axis, slot in zip(axes[0], slots, strict=True):
        numbers = [cell for cell in cells if cell.slot == slot]
        for place, peer in enumerate(_served(result)):
            _line(axis, peer, place, [_point(result, peer, str(cell)) for cell in numbers])
        _scale(axis, "good answers a second", "p99, ms")
        axis.set_title(f"{SLOTS[slot].title}\n{', '.join(str(cell.number) for cell in numbers)} connections")
    handles = {line.get_label(): line for axis in axes[0] for line in axis.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside right center")
    return figure


def stages(result: Result) -> Any:
    """Where the mean time of our requests goes, in parts of a hundred, a bar for each cell."""
    rows = [(str(cell), found) for cell in _loads(result) if (found := _stages(result, str(cell)))]
    if not rows:
        return None
    figure, axis = plt.subplots(figsize=(9, 1.2 + 0.45 * len(rows)), layout="constrained")
    for stage, colour in STAGES.items():
        before = [_share(found, list(STAGES)[: list(STAGES).index(stage)]) for _, found in rows]
        widths = [_share(found, [stage]) for _, found in rows]
        axis.barh(range(len(rows)), widths, left=before, color=colour, hatch=HATCHES[stage], edgecolor="white",
                  label=stage)  # fmt: skip
    axis.set_yticks(range(len(rows)), [_bar_name(cell) for cell, _ in rows])
    for place, (_, found) in enumerate(rows):
        axis.text(101, place, f"{sum(found.values()):.3g} ms", va="center")
    axis.set(xlim=(0, 100), xlabel="% of a request's mean time", ylim=(len(rows) - 0.5, -0.5))
    axis.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=len(STAGES))
    return figure


def growth(series: str, label: str, panels: dict[str, str], tick: Callable[[float], str]) -> Callable[[Result], Any]:
    """A plot of one series: a panel for each figure, all over the same axis of growing work."""

    def plot(result: Result) -> Any:
        names = dict.fromkeys(each.cell for each in result.measurements if each.cell.startswith(f"{series}:"))
        cells = sorted(parse_cells(";".join(names), [series]), key=lambda cell: cell.number) if names else []
        if not cells:
            return None
        figure, axes = plt.subplots(
            1, len(panels), figsize=(3.7 * len(panels), 3.4), squeeze=False, layout="constrained"
        )
        for axis, (name, title), colour in zip(axes[0], panels.items(), COLOURS, strict=False):
            found = [(cell.number, spread(result.measurements, OURS, str(cell), name)) for cell in cells]
            _curve(axis, [(number, each) for number, each in found if each], colour)
            axis.set_title(title)
            axis.set_xlabel(label)
            if axis.get_xscale() == "log":
                _decades(axis.xaxis, tick)
            else:
                axis.set_xticks([cell.number for cell in cells])
        return figure

    return plot


def _curve(axis: Any, points: list[tuple[int, Spread]], colour: str) -> None:
    """Medians as a line, from least to most as bars; logarithmic where the figure grows tenfold."""
    middles = [each.middle for _, each in points]
    bars = [[each.middle - each.least for _, each in points], [each.most - each.middle for _, each in points]]
    axis.errorbar(
        [number for number, _ in points], middles, yerr=bars, color=colour, marker="o", markersize=4, capsize=2
    )
    if max(number for number, _ in points) >= 10:
        axis.set_xscale("log")
    if min(middles) > 0 and max(middles) > 10 * min(middles):
        axis.set_yscale("log")
    else:
        axis.set_ylim(0, 1.15 * max(each.most for _, each in points) or 1)
    if axis.get_yscale() == "log":
        _decades(axis.yaxis, short)
    else:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _line(axis: Any, peer: str, place: int, points: Iterable[tuple[float, float] | None]) -> None:
    """One server; ours is thick and on top."""
    found = [point for point in points if point]
    ours = peer == OURS
    style = {"linewidth": 2.6, "markersize": 8, "zorder": 5} if ours else {"linewidth": 1.1, "markersize": 5.5}
    axis.plot(*zip(*found, strict=True), label=peer, color=INK if ours else COLOURS[(place - 1) % len(COLOURS)],
              marker=MARKERS[place % len(MARKERS)], **style) if found else None  # fmt: skip


def _scale(axis: Any, x_label: str, y_label: str) -> None:
    axis.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    for each in (axis.xaxis, axis.yaxis):
        _decades(each, short)


def _decades(axis: Any, text: Callable[[float], str]) -> None:
    """Few ticks, written out; where less than a decade is shown, more of them."""
    low, high = sorted(axis.get_view_interval())
    fine = low > 0 and high / low < 30
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if fine else (1,), numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def short(value: float) -> str:
    """1k, 20k, 1M; small numbers as they are."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _bytes(value: float) -> str:
    return f"{short(value)}B"


def _served(result: Result) -> list[str]:
    """Who predicted over HTTP, ours first; limits are so far off that they would squeeze all others."""
    limits = [peer.name for peer in ALL if peer.group == "limit"]
    names = dict.fromkeys(each.peer for each in result.measurements if each.peer not in limits)
    return sorted(names, key=lambda name: name != OURS)


def _loads(result: Result) -> list[Cell]:
    cells = parse_cells(";".join(dict.fromkeys(each.cell for each in result.measurements)) or "csv:1")
    return sorted((cell for cell in cells if cell.is_load), key=lambda cell: (LOADS.index(cell.slot), cell.number))


def _point(result: Result, peer: str, cell: str) -> tuple[float, float] | None:
    rate, p99 = (spread(result.measurements, peer, cell, name) for name in ("good_per_s", "p99_ms"))
    return (rate.middle, p99.middle) if rate and p99 and rate.middle else None


def _stages(result: Result, cell: str) -> dict[str, float]:
    """Of the round whose rate is the middle one: stages of one round belong together."""
    found = [each.figures for each in result.measurements if each.cell == cell and "stages_ms" in each.figures]
    middle = sorted(found, key=lambda figures: figures["good_per_s"])[len(found) // 2 :][:1]
    stages: dict[str, float] = middle[0]["stages_ms"] if middle else {}
    return stages


def _share(found: dict[str, float], stages: Iterable[str]) -> float:
    return 100 * sum(found[stage] for stage in stages) / sum(found.values())


def _bar_name(cell: str) -> str:
    slot, _, number = cell.partition(":")
    return f"{SLOTS[slot].title}, c={number}"


def _written(figure: Any, path: Path) -> bool:
    if figure is None:
        return False
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


RATE, P99 = {"good_per_s": "good answers a second"}, {"p99_ms": "p99, ms"}
START = {"answer_s": "seconds to the first answer", "pss_mb": "MB of memory, two workers"}
RACES: dict[str, Callable[[Result], Any]] = {"latency": latency, "stages": stages}
GROWTH: dict[str, Callable[[Result], Any]] = {
    "rows": growth("rows", "rows in a request", {**RATE, **P99}, short),
    "bytes": growth("bytes", "bytes in a request", {**RATE, **P99}, _bytes),
    "connections": growth("connections", "connections", {**RATE, **P99, "errors": "errors"}, short),
    "workers": growth("workers", "workers", {**RATE, **P99, "pss_mb": "MB of memory"}, short),
    "model_mb": growth("model_mb", "MB of model", {**RATE, **START}, short),
}
