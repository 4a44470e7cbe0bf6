"""Far more work than can be done: python -m bench.overload [--slots csv,rf,ner] [--rounds 3] [--set NAME=VALUE ...]

Finds the peak of our server over a ladder of connections, then offers 4 times that rate and looks at what is still
answered, how late, what is refused, and at /ping meanwhile. Each slot with the settings as they are and with
SERVING_MAX_WAIT at the p99 of the peak. `make overload` runs it; docs/performance.md has the bars.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench import assets
from bench.contestants import ALL
from bench.environments import BUILD_DIR
from bench.flood import flood, told
from bench.load import Figures
from bench.machine import alone, prepare, say
from bench.processes import cpu_s, wait_quiet
from bench.races import check, form, payload
from bench.raw import Measurement, Result, conditions
from bench.servers import Failed, Running
from bench.slots import SLOTS, Cell, Unknown

(OURS,) = (peer for peer in ALL if peer.name == "ours")
SAVE = BUILD_DIR / "overload.json"
PINGS_PER_S, PING_CONNECTIONS = 50, 8
BARS = {
    "share_of_peak": "90 % of the peak",
    "times_p99": "p99 under 2 x the peak's",
    "ping_max_ms": "/ping under 50 ms",
}
"""throughput, latency of what was accepted, latency of /ping."""


@dataclass(frozen=True)
class Pace:
    """How a run goes."""

    ladder: tuple[int, ...] = (8, 32, 64, 128, 256)
    seconds: int = 6
    times: float = 4
    connections: int = 1024
    """Of the overload; more than the queues of both workers hold."""

    workers: int = 2
    quiet_s: float = 12


def main(arguments: list[str] | None = None) -> int:
    """0 when all answers were 200 or a 503 with Retry-After; 1 if not, or when something failed; 2: wrong words."""
    options = read_options(arguments)
    try:
        slots, env, pace = slots_of(options.slots), dict(read_setting(each) for each in options.set), pace_of(options)
        prepare()
    except Unknown as unknown:
        print(f"overload: {unknown}", file=sys.stderr)
        return 2
    assets.make()
    result = Result("overload", conditions(**asdict(pace), rounds=options.rounds, settings=env))
    try:
        for number in range(options.rounds):
            for slot in slots:
                for way, figures in both_ways(slot, env, pace):
                    say(f"round {number + 1} {slot} {way}: {line(figures)}")
                    result.measurements.append(Measurement(way, slot, number, figures))
                    result.write(SAVE)
    except Failed as failed:
        print(f"overload: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(result.text() if options.output == "json" else table(result))
    return 1 if any(each.figures["errors"] for each in result.measurements) else 0


def both_ways(slot: str, env: dict[str, str], pace: Pace) -> Iterator[tuple[str, Figures]]:
    """With these settings, and with a bounded wait beside them."""
    figures = measure(slot, env, pace)
    yield "default", figures
    bound_s = max(0.001, round(figures["peak_p99_ms"] / 1000, 3))
    yield "bounded", measure(slot, {"SERVING_MAX_WAIT": str(bound_s), **env}, pace) | {"max_wait_s": bound_s}


def measure(slot: str, env: dict[str, str], pace: Pace) -> Figures:
    """A server's life: up the ladder, then far above it. Raises Failed."""
    cell = Cell(slot, 1)
    with alone():
        wait_quiet(pace.quiet_s)
        with Running(OURS, assets.ASSETS_DIR / SLOTS[slot].artifact, pace.workers, env) as server:
            server.wait_ready()
            check(server, cell)
            load(server, cell, pace.ladder[-1], 1)
            steps = [load(server, cell, connections, max(1, pace.seconds // 2)) for connections in pace.ladder]
            peak = max(steps, key=lambda step: float(step["ok_per_s"]))
            over = load(server, cell, pace.connections, pace.seconds, rate=pace.times * peak["ok_per_s"])
    return compared(peak, over) | {"ladder": steps}


def load(server: Running, cell: Cell, connections: int, seconds: float, rate: float = 0) -> Figures:
    """A flood, and /ping asked beside it by another process."""
    asked, body = form(OURS, cell), payload(OURS, cell)
    url = f"http://127.0.0.1:{server.port}"
    like = ("--payload", str(body), "--content-type", asked.content_type, "--accept", asked.headers["Accept"])
    pids, before_s = server.pids(), cpu_s(server.pids())
    with (
        flood(f"{url}{asked.path}", connections, rate, seconds, *like) as asking,
        flood(f"{url}/ping", PING_CONNECTIONS, PINGS_PER_S, seconds) as pinging,
    ):
        seen, pings = told(asking)["statuses"], told(pinging)["statuses"]
    used_s = cpu_s(pids) - before_s
    counts = {status: int(each["count"]) for status, each in seen.items()}
    return {
        "connections": connections, "cpu_us": round(used_s * 1e6 / max(1, sum(counts.values()))),
        "offered_per_s": round(sum(counts.values()) / seconds, 1), "ok_per_s": round(counts.get("200", 0) / seconds, 1),
        "p99_ms": seen.get("200", {}).get("p99_ms", 0.0), "statuses": seen, "pings": pings,
        "errors": strange(counts, "200", "503") + strange({name: each["count"] for name, each in pings.items()}, "200"),
    }  # fmt: skip


def strange(counts: dict[str, int], *expected: str) -> int:
    """Answers that must not be."""
    return sum(count for status, count in counts.items() if status not in expected)


def compared(peak: Figures, over: Figures) -> Figures:
    """The overload beside the peak."""
    return {
        "peak_per_s": peak["ok_per_s"], "peak_p99_ms": peak["p99_ms"], "peak_connections": peak["connections"],
        "times_offered": round(over["offered_per_s"] / peak["ok_per_s"], 2),
        "share_of_peak": round(over["ok_per_s"] / peak["ok_per_s"], 3),
        "times_p99": round(over["p99_ms"] / max(0.001, peak["p99_ms"]), 2),
        "ping_max_ms": max(each["max_ms"] for each in over["pings"].values()),
        "errors": peak["errors"] + over["errors"],
        "over": over,
    }  # fmt: skip


def line(figures: Figures) -> str:
    """A measurement in a line."""
    return (
        f"peak {figures['peak_per_s']:,.0f}/s at {figures['peak_connections']}, p99 {figures['peak_p99_ms']:.0f} ms; "
        f"offered {figures['times_offered']} x: {100 * figures['share_of_peak']:.0f} % of the peak, "
        f"p99 {figures['times_p99']} x, /ping at most {figures['ping_max_ms']:.0f} ms, {figures['errors']} errors"
    )


def table(result: Result) -> str:
    """The median of the rounds, and the bar that each figure is held to."""
    lines = [f"{'':18}{'  '.join(f'{text:>25}' for text in BARS.values())}"]
    for slot, way in dict.fromkeys((each.cell, each.peer) for each in result.measurements):
        found = [each.figures for each in result.measurements if (each.cell, each.peer) == (slot, way)]
        lines.append(f"{slot:8}{way:10}{'  '.join(f'{spread(found, name):>25}' for name in BARS)}")
    return "\n".join(lines)


def spread(found: list[Figures], name: str) -> str:
    """Median, least and most."""
    values = [float(each[name]) for each in found]
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def slots_of(text: str) -> list[str]:
    """Names of slots. Raises Unknown."""
    names = [name for name in text.replace(" ", "").split(",") if name]
    known = [name for name, slot in SLOTS.items() if slot.counts == "connections"]
    if unknown := [name for name in names if name not in known] or not names:
        raise Unknown(f"no slots are called {unknown}; there are: {', '.join(known)}")
    return names


def read_setting(text: str) -> tuple[str, str]:
    """NAME=VALUE. Raises Unknown."""
    name, found, value = text.partition("=")
    if not found:
        raise Unknown(f"{text!r} is not NAME=VALUE")
    return name, value


def pace_of(options: argparse.Namespace) -> Pace:
    """Raises Unknown."""
    try:
        ladder = tuple(int(each) for each in options.ladder.split(","))
    except ValueError as error:
        raise Unknown(f"{options.ladder!r} is not a ladder; write it like 4,16,64") from error
    return Pace(ladder=ladder, seconds=max(2, options.seconds), times=options.times,
                connections=options.connections, quiet_s=options.quiet)  # fmt: skip


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    pace: dict[str, Any] = asdict(Pace())
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slots", default="csv,rf,ner", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--ladder", default="8,32,64,128,256", help="connections (default: %(default)s)")
    parser.add_argument("--times", type=float, default=pace["times"], help="the peak's rate (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=pace["connections"], help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=pace["seconds"], help="of overload (default: %(default)s)")
    parser.add_argument(
        "--quiet", type=float, default=pace["quiet_s"], help="seconds to wait at most for a quiet machine"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the server's environment")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
