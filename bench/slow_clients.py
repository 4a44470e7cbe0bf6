"""What slow clients cost the others: python -m bench.slow_clients [--connections 1000] [--rounds 5]

wrk asks our server with and without a thousand clients beside it that trickle heads and bodies and sip their answers,
in turn. Prints the ratio of the rates and of the CPU a request, median, least and most. `make slow-clients` runs it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from bench import assets
from bench.contestants import ALL
from bench.environments import BUILD_DIR, PROJECT_DIR
from bench.load import Figures, load
from bench.machine import alone, prepare, say
from bench.processes import cpu_s, wait_quiet
from bench.races import Options, check, form, payload
from bench.raw import Measurement, Result, conditions
from bench.servers import Failed, Running
from bench.slots import Cell, Unknown

(OURS,) = (peer for peer in ALL if peer.name == "ours")
SAVE = BUILD_DIR / "slow_clients.json"
QUIET, FLOODED = "without", "with"


def main(arguments: list[str] | None = None) -> int:
    """0; 1 when a fast client got an error or something failed; 2 for a wrong command line."""
    options = read_options(arguments)
    try:
        prepare()
    except Unknown as unknown:
        print(f"slow_clients: {unknown}", file=sys.stderr)
        return 2
    assets.make()
    result = Result("slow_clients", conditions(**vars(options)))
    try:
        with alone():
            measure(options, result)
    except Failed as failed:
        print(f"slow_clients: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    result.write(SAVE)
    print(result.text() if options.output == "json" else told(result, options.connections))
    return 1 if any(each.figures["errors"] for each in result.measurements) else 0


def measure(options: argparse.Namespace, result: Result) -> None:
    """All rounds on one server; every other one begins with the flood. Raises Failed."""
    cell = Cell("csv", options.load)
    with Running(OURS, assets.ASSETS_DIR / "m1", options.workers) as server:
        server.wait_ready()
        check(server, cell)
        ask(server, cell, 1)
        for number in range(options.rounds):
            for way in (QUIET, FLOODED) if number % 2 == 0 else (FLOODED, QUIET):
                figures = undisturbed(server, cell, options, flooded=way == FLOODED)
                say(f"round {number + 1} {way}: {figures['good_per_s']:,.0f}/s, p99 {figures['p99_ms']:.1f} ms")
                result.measurements.append(Measurement(way, str(cell), number, figures))


def undisturbed(server: Running, cell: Cell, options: argparse.Namespace, *, flooded: bool) -> Figures:
    """A load, once more if others were too busy beside it."""
    for _ in range(2):
        wait_quiet(options.quiet)
        figures = asked(server, cell, options, flooded=flooded)
        if figures["foreign_cores"] <= Options.foreign_cores:
            break
    return figures


def asked(server: Running, cell: Cell, options: argparse.Namespace, *, flooded: bool) -> Figures:
    """A load; flood_cores is what the slow clients themselves used beside it."""
    if not flooded:
        return ask(server, cell, options.seconds)
    with tricklers(server.port, options.connections, options.pause) as pid:
        before_s = cpu_s({pid})
        figures = ask(server, cell, options.seconds)
        return {**figures, "flood_cores": round((cpu_s({pid}) - before_s) / options.seconds, 2)}


def ask(server: Running, cell: Cell, seconds: int) -> Figures:
    return load(server, form(OURS, cell), payload(OURS, cell), cell.number, seconds)


@contextmanager
def tricklers(port: int, connections: int, pause_s: float) -> Iterator[int]:
    """The slow clients, all connected; their process id. Raises Failed when they could not."""
    command = [sys.executable, "-m", "bench.tricklers", str(port)]
    command += ["--connections", str(connections), "--pause", str(pause_s)]
    with subprocess.Popen(command, cwd=PROJECT_DIR, text=True, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise Failed("the slow clients could not connect")
            yield process.pid
        finally:
            process.kill()


def ratios(result: Result, name: str = "good_per_s") -> list[float]:
    """A figure with the flood to the same without it, of each round."""
    values = {(each.peer, each.round): float(each.figures[name]) for each in result.measurements}
    return [values[FLOODED, number] / value for (way, number), value in values.items() if way == QUIET]


def spread(found: list[float]) -> str:
    """Median, least and most."""
    return f"{median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def told(result: Result, connections: int) -> str:
    flood = [each.figures["flood_cores"] for each in result.measurements if each.peer == FLOODED]
    return (
        f"with {connections} slow clients the others get {spread(ratios(result))} times as much, and a request costs "
        f"{spread(ratios(result, 'cpu_us'))} times the CPU; the slow clients themselves use {median(flood):.2f} cores"
    )


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.slow_clients", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=1000, help="of slow clients (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two bytes (default: %(default)s)")
    parser.add_argument("--load", type=int, default=64, help="connections of the others (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=6, help="of each load (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--quiet", type=float, default=12, help="seconds to wait at most for a quiet machine")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
