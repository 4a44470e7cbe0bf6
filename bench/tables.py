"""Markdown tables of a run's raw JSON. Printed by `python -m bench`, written into docs/ by report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.contestants import ALL, OURS
from bench.ratios import Spread, by_round, ratio, spread
from bench.raw import Result
from bench.slots import SLOTS, Cell, parse_cells

GROUPS = {peer.name: peer.group for peer in ALL}


def text_tables(result: Result) -> str:
    """All tables of a run, with what they were taken on."""
    parts = {"Requests a second": throughput, "Ratios": ratios, "Latency and errors": latency, "CPU": cpu,
             "Start and memory": start_and_memory}  # fmt: skip
    tables = [(title, table(result)) for title, table in parts.items()]
    return "\n\n".join([conditions(result), *(f"### {title}\n\n{text}" for title, text in tables if text)])


def throughput(result: Result) -> str:
    """Good answers a second: median (least-most) of the rounds."""
    return _loads(result, lambda peer, cell: _figure(result, peer, cell, "good_per_s", "{:,.0f}"))


def ratios(result: Result) -> str:
    """How many times as many good answers ours gave, in the same round."""
    reference = _reference(result)

    def times(peer: str, cell: str) -> str:
        return _spread(ratio(result.measurements, reference, peer, cell, "good_per_s"), "{:.2f}")

    table = _loads(result, times, without=(reference,))
    return table.replace("| server |", f"| {reference} ÷ |", 1)


def latency(result: Result) -> str:
    """Milliseconds, p50 / p99, medians of the rounds; the share of errors where there were any."""

    def cell_text(peer: str, cell: str) -> str:
        figures = [_middle(result, peer, cell, name, "{:,.1f}") for name in ("p50_ms", "p99_ms")]
        return "" if "" in figures else " / ".join(figures) + _errors(result, peer, cell)

    return _loads(result, cell_text)


def cpu(result: Result) -> str:
    """Microseconds of CPU that a request cost on the server's side, median (least-most)."""
    return _loads(result, lambda peer, cell: _figure(result, peer, cell, "cpu_us", "{:,.0f}"))


def start_and_memory(result: Result) -> str:
    """Seconds and MB; a worker more is worth a part of what four hold more than two."""
    memory = sorted(cell.number for cell in cells_of(result) if cell.slot == "memory")
    starts = [str(cell) for cell in cells_of(result) if cell.slot == "start"]
    heads = ["s to the first 200", "s to the first right answer"] if starts else []
    heads += [f"MB, {number} workers" for number in memory] + (["MB a further worker"] if len(memory) > 1 else [])
    rows = []
    for peer in _peers(result):
        row = [_figure(result, peer, cell, name, "{:.2f}") for cell in starts[:1] for name in ("ping_s", "answer_s")]
        row += [_figure(result, peer, f"memory:{number}", "pss_mb", "{:,.0f}") for number in memory]
        rows.append([peer, *row, *([_further(result, peer, memory)] if len(memory) > 1 else [])])
    return _table(["server", *heads], rows)


def conditions(result: Result) -> str:
    """One sentence a line on what the figures were taken on, and what went wrong."""
    told = result.conditions
    foreign = max((each.figures.get("foreign_cores", 0) for each in result.measurements), default=0)
    lines = [
        f"Measured {told['when']} UTC at commit {told['commit']}.",
        f"Machine: {told['cores']} cores of {told['cpu']}, shared with wrk.",
        f"Python {told['python']}, nginx {told['nginx']}; {told['rounds']} rounds of {told['seconds']:g} s a cell, "
        f"{told['workers']} workers a server; other work used at most {foreign:g} cores.",
    ]
    lines += [f"{each['peer']} failed with {each['artifact']}: {each['why']}." for each in result.failures]
    return "\n".join(lines)


def cells_of(result: Result) -> list[Cell]:
    """The cells of a run, each once, in the order of SLOTS."""
    found = (
        parse_cells(";".join(dict.fromkeys(each.cell for each in result.measurements))) if result.measurements else []
    )
    return sorted(found, key=lambda cell: (list(SLOTS).index(cell.slot), cell.number))


def _loads(result: Result, text: Callable[[str, str], str], without: Sequence[str] = ()) -> str:
    cells = [cell for cell in cells_of(result) if cell.is_load]
    peers = [peer for peer in _peers(result) if peer not in without]
    heads = [f"{cell.slot}, c={cell.number}" for cell in cells]
    return _table(["server", *heads], [[peer, *(text(peer, str(cell)) for cell in cells)] for peer in peers])


def _peers(result: Result) -> list[str]:
    """Ours first, limits last, the others as they were run."""
    names = list(dict.fromkeys(each.peer for each in result.measurements))
    return sorted(names, key=lambda name: (name != OURS, GROUPS.get(name) == "limit"))


def _reference(result: Result) -> str:
    return _peers(result)[0] if result.measurements else OURS


def _table(heads: list[str], rows: list[list[str]]) -> str:
    """Empty for a table that would have no figure."""
    full = [row for row in rows if any(row[1:])]
    if not full:
        return ""
    lines = [heads, ["---"] * len(heads), *([cell or "-" for cell in row] for row in full)]
    return "\n".join(f"|{'|'.join(line)}|" if line[0] == "---" else f"| {' | '.join(line)} |" for line in lines)


def _figure(result: Result, peer: str, cell: str, name: str, shape: str) -> str:
    return _spread(spread(result.measurements, peer, cell, name), shape)


def _middle(result: Result, peer: str, cell: str, name: str, shape: str) -> str:
    found = spread(result.measurements, peer, cell, name)
    return shape.format(found.middle) if found else ""


def _spread(found: Spread | None, shape: str) -> str:
    if found is None:
        return ""
    least, middle, most = (shape.format(each) for each in (found.least, found.middle, found.most))
    return middle if least == most else f"{middle} ({least}-{most})"


def _errors(result: Result, peer: str, cell: str) -> str:
    found = [each.figures for each in result.measurements if (each.peer, each.cell) == (peer, cell)]
    errors, good = (sum(each[name] for each in found) for name in ("errors", "good"))
    return f", {100 * errors / (errors + good):.2g} % errors" if errors else ""


def _further(result: Result, peer: str, memory: list[int]) -> str:
    """Within each round, what a worker more takes."""
    few, many = memory[0], memory[-1]
    of_few, of_many = (by_round(result.measurements, peer, f"memory:{each}", "pss_mb") for each in (few, many))
    found = Spread.of((of_many[each] - of_few[each]) / (many - few) for each in of_few if each in of_many)
    return _spread(found, "{:,.0f}")
