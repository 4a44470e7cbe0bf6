"""A table and a plot for each series of bench.growth. Called by report."""

from __future__ import annotations

from bench.ratios import spread
from bench.raw import Result
from bench.slots import parse_cells

SERIES = {
    "rows": ("rows in a request", ("good_per_s", "p50_ms", "p99_ms", "cpu_us")),
    "bytes": ("bytes in a request", ("good_per_s", "p50_ms", "p99_ms", "cpu_us")),
    "connections": ("connections", ("good_per_s", "p50_ms", "p99_ms", "errors")),
    "workers": ("workers", ("good_per_s", "p50_ms", "p99_ms", "pss_mb")),
    "model_mb": ("MB of model", ("good_per_s", "p99_ms", "answer_s", "pss_mb")),
}
"""Series -> what grows, and the figures that are shown."""

HEADS = {"good_per_s": "good answers/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms", "cpu_us": "CPU a request, us",
         "errors": "errors", "pss_mb": "memory, MB", "answer_s": "start, s"}  # fmt: skip


def blocks(result: Result, plots: list[str]) -> dict[str, str]:
    """Series -> its plot and its table; nothing for those that were not measured."""
    return {name: _block(result, name) if name in plots else "" for name in SERIES}


def _block(result: Result, name: str) -> str:
    return f"![{SERIES[name][0]}](plots/{name}.svg)\n\n{table(result, name)}"


def table(result: Result, series: str) -> str:
    """A row for each amount of work, medians of the rounds."""
    label, figures = SERIES[series]
    names = dict.fromkeys(each.cell for each in result.measurements if each.cell.startswith(f"{series}:"))
    cells = sorted(parse_cells(";".join(names), [series]), key=lambda cell: cell.number)
    lines = [[label, *(HEADS[name] for name in figures)]]
    lines += [[f"{cell.number:,}", *(_middle(result, str(cell), name) for name in figures)] for cell in cells]
    rule = f"|{'---|' * len(lines[0])}"
    return "\n".join(
        [f"| {' | '.join(line)} |" for line in lines[:1]] + [rule] + [f"| {' | '.join(line)} |" for line in lines[1:]]
    )


def _middle(result: Result, cell: str, name: str) -> str:
    found = spread(result.measurements, "ours", cell, name)
    if found is None:
        return "-"
    return f"{found.middle:,.0f}" if found.middle >= 100 or found.middle == 0 else f"{found.middle:.3g}"
