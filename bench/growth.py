"""What our server does as work grows, one thing at a time: python -m bench.growth [--series "rows:1,100;workers:1,2"]

`make growth` runs it and then bench.report, which writes docs/growth.md's tables and plots.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import assets
from bench.contestants import ALL
from bench.environments import BUILD_DIR
from bench.load import Figures, load
from bench.machine import alone, prepare, say
from bench.processes import pss_mb, wait_quiet
from bench.races import Options, told
from bench.raw import Measurement, Result, conditions
from bench.servers import Failed, Running
from bench.slots import Cell, Form, Unknown, parse_cells

(OURS,) = (peer for peer in ALL if peer.name == "ours")
FOLDER = BUILD_DIR / "assets" / "growth"
SAVE = BUILD_DIR / "growth.json"
DEFAULT_SERIES = (
    "rows:1,10,100,1000,10000;bytes:100,1000,10000,100000,1000000,10000000,25000000;"
    "connections:1,2,4,8,16,32,64,128,256,512,1000;workers:1,2,3,4;model_mb:1,10,100,1000"
)
CSV = Form("/invocations", "text/csv", "csv", "csv")
BYTES = Form("/invocations", "application/octet-stream", "bin", "json", accept="application/json")
COUNTS_BYTES = '''"""Counts the body's bytes: what a payload costs before any code of yours looks at it."""


def model_fn(model_dir):
    return len


def input_fn(body, content_type):
    return body


def predict_fn(data, model):
    return [model(data)]
'''


@dataclass(frozen=True)
class Point:
    """One amount of work: what is served, what is sent, by how many."""

    cell: Cell
    model_dir: Path
    payload: Path
    expected: Any
    form: Form = CSV
    connections: int = 8
    workers: int = 2


def rows(cell: Cell) -> Point:
    """A request of so many CSV rows."""
    lines = (assets.PAYLOADS_DIR / "batch.csv").read_text().splitlines(keepends=True)
    count = -(-cell.number // len(lines))
    payload = _write(f"rows-{cell.number}.csv", "".join((lines * count)[: cell.number]).encode())
    expected = (assets.expected("m1", "batch") * count)[: cell.number]
    return Point(cell, assets.ASSETS_DIR / "m1", payload, expected)


def size(cell: Cell) -> Point:
    """A request of so many bytes, which are counted and nothing else."""
    folder = FOLDER / "bytes"
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "code/inference.py").write_text(COUNTS_BYTES)
    return Point(cell, folder, _write(f"bytes-{cell.number}.bin", bytes(cell.number)), [cell.number], BYTES)


def connections(cell: Cell) -> Point:
    """So many clients at once, one row each."""
    return _one_row(cell, connections=cell.number)


def workers(cell: Cell) -> Point:
    """So many worker processes under 64 clients."""
    return _one_row(cell, connections=64, workers=cell.number)


def model_mb(cell: Cell) -> Point:
    """An artifact of so many MB: a model that holds an array and says 0."""
    folder = FOLDER / f"model-{cell.number}"
    if not (folder / "manifest.json").is_file():
        from bench.models import write_big  # seconds of imports

        write_big(folder, cell.number)
    return Point(cell, folder, assets.PAYLOADS_DIR / "row.csv", [0])


SERIES: dict[str, Callable[[Cell], Point]] = {
    "rows": rows,
    "bytes": size,
    "connections": connections,
    "workers": workers,
    "model_mb": model_mb,
}


def main(arguments: list[str] | None = None) -> int:
    """0 when every point was measured, 1 when one failed, 2 for a wrong command line."""
    options = read_options(arguments)
    try:
        cells = parse_cells(options.series, SERIES)
        prepare()
    except Unknown as unknown:
        print(f"growth: {unknown}", file=sys.stderr)
        return 2
    assets.make()
    pace = Options(rounds=options.rounds, seconds=max(1, round(options.seconds)), quiet_s=options.quiet)
    result = Result("growth", conditions(**asdict(pace)))
    try:
        run([SERIES[cell.slot](cell) for cell in cells], pace, result, options.save)
    except KeyboardInterrupt:
        return 130
    if options.output == "json":
        print(result.text())
    return 1 if result.failures else 0


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", default=DEFAULT_SERIES, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=5, help="of load a point (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=Options().quiet_s, help="seconds to wait at most for quiet")
    parser.add_argument("--save", type=Path, default=SAVE, help="where the raw JSON goes (default: %(default)s)")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def run(points: list[Point], pace: Options, result: Result, save: Path) -> None:
    """Every point in every round; points of one model and worker count share a server."""
    kinds: dict[tuple[Path, int], list[Point]] = {}
    for point in points:
        kinds.setdefault((point.model_dir, point.workers), []).append(point)
    for number in range(pace.rounds):
        for (model_dir, count), shared in kinds.items():
            try:
                with alone(), Running(OURS, model_dir, count) as server:
                    measure(server, shared, pace, number, result)
            except Failed as failure:
                say(f"round {number + 1} {shared[0].cell} failed: {failure}")
                result.failures.append({"peer": "ours", "artifact": model_dir.name, "why": str(failure)[:300]})
            result.write(save)


def measure(server: Running, points: list[Point], pace: Options, number: int, result: Result) -> None:
    """The points of one server's life. Raises Failed."""
    server.wait_ready()
    first = points[0]
    start = {"answer_s": round(server.wait_answer(first.form, first.payload.read_bytes(), first.expected), 3)}
    load(server, first.form, first.payload, first.connections, pace.warm_up_s)
    for point in points:
        server.wait_answer(point.form, point.payload.read_bytes(), point.expected)
        wait_quiet(pace.quiet_s)
        figures: Figures = {**load_point(server, point, pace), **start, "pss_mb": round(pss_mb(server.pids()), 1)}
        result.measurements.append(Measurement("ours", str(point.cell), number, figures))
        say(f"round {number + 1} {point.cell}: {told(figures)}")


def load_point(server: Running, point: Point, pace: Options) -> Figures:
    return load(server, point.form, point.payload, point.connections, pace.seconds)


def _one_row(cell: Cell, *, connections: int, workers: int = 2) -> Point:
    model_dir, payload = assets.ASSETS_DIR / "m1", assets.PAYLOADS_DIR / "row.csv"
    return Point(cell, model_dir, payload, assets.expected("m1", "row"), connections=connections, workers=workers)


def _write(name: str, body: bytes) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_bytes(body)
    return FOLDER / name


if __name__ == "__main__":
    raise SystemExit(main())
