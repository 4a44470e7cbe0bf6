"""The races: every contestant in every round, in turn, so that a noisy machine is noisy for all.

A round goes through the contestants in an order that moves on by one each round: A B C, B C A, C A B.
Called by `python -m bench`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import assets, limits
from bench.contestants import IN_PROCESS, Peer
from bench.load import Figures, load
from bench.machine import alone, say
from bench.processes import pss_mb, wait_quiet
from bench.raw import Measurement, Result
from bench.servers import Failed, Running
from bench.slots import SLOTS, Cell, Form

WARM_UP_CONNECTIONS = 8
MEMORY_CONNECTIONS = 16


@dataclass(frozen=True)
class Options:
    """How long, how often, how quiet."""

    rounds: int = 3
    seconds: float = 8
    warm_up_s: float = 2
    workers: int = 2
    quiet_s: float = 12
    """How long a cell waits for a quiet machine."""

    foreign_cores: float = 0.5
    """A cell is run again, once, when others used more than this."""


@dataclass(frozen=True)
class Life:
    """One server from start to stop, and the cells that it is measured in."""

    round: int
    peer: Peer
    artifact: str
    workers: int
    cells: tuple[Cell, ...]


def plan(peers: list[Peer], cells: list[Cell], options: Options) -> list[Life]:
    """All lives of a run, in order. A contestant is left out of cells whose request it has no form for."""
    kinds: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        workers = options.workers if cell.is_load else cell.number
        kinds.setdefault((SLOTS[cell.slot].artifact, workers), []).append(cell)
    lives = []
    for number in range(options.rounds):
        turn = number % len(peers)
        for (artifact, workers), wanted in kinds.items():
            for peer in peers[turn:] + peers[:turn]:
                own = tuple(cell for cell in wanted if takes(peer, cell))
                if own:
                    lives.append(Life(number, peer, artifact, workers, own))
    return lives


def takes(peer: Peer, cell: Cell) -> bool:
    """Whether a contestant is measured in a cell. A limit that serves no model has no start or memory to compare."""
    if peer.group == "limit" and not cell.is_load:
        return peer.name == IN_PROCESS and cell.slot == "start"
    return cell.load_slot in peer.forms


def run(lives: list[Life], options: Options, result: Result, save: Path) -> None:
    """Live all lives. One that fails is noted, and its contestant sits out the rest of that artifact."""
    out: set[tuple[str, str]] = set()
    for number, life in enumerate(lives, start=1):
        if (life.peer.name, life.artifact) in out:
            continue
        place = f"[{number}/{len(lives)}] round {life.round + 1} {life.peer.name}"
        try:
            with alone():
                for cell, figures in live(life, options):
                    result.measurements.append(Measurement(life.peer.name, str(cell), life.round, figures))
                    say(f"{place} {cell}: {told(figures)}")
        except Failed as failure:
            say(f"{place} {life.artifact} failed: {failure}")
            result.failures.append({"peer": life.peer.name, "artifact": life.artifact, "why": str(failure)[:300]})
            out.add((life.peer.name, life.artifact))
        result.write(save)


def live(life: Life, options: Options) -> Iterator[tuple[Cell, Figures]]:
    """Start the server, hold its answers against the right ones, measure each cell. Raises Failed."""
    model_dir = assets.ASSETS_DIR / life.artifact
    if life.peer.name == IN_PROCESS:
        for cell in life.cells:
            wait_quiet(options.quiet_s)
            yield cell, limits.measure(cell, model_dir, payload(life.peer, cell), options.seconds, life.workers)
        return
    wait_quiet(options.quiet_s)
    with Running(life.peer, model_dir, life.workers) as server:
        ready_s = server.wait_ready()
        started = {"ping_s": round(ready_s, 3), "answer_s": round(check(server, life.cells[0]), 3)}
        for cell in life.cells:
            check(server, cell)
        first = life.cells[0]
        load(server, form(life.peer, first), payload(life.peer, first), WARM_UP_CONNECTIONS, options.warm_up_s)
        for cell in sorted(life.cells, key=lambda cell: not cell.is_load):  # memory is looked at after load
            yield cell, started if cell.slot == "start" else measure(server, cell, options)


def measure(server: Running, cell: Cell, options: Options) -> Figures:
    """A load, once more if others were too busy beside it; or memory."""
    if cell.slot == "memory":
        load(server, form(server.peer, cell), payload(server.peer, cell), MEMORY_CONNECTIONS, options.warm_up_s)
        pids = server.pids()
        return {"pss_mb": round(pss_mb(pids), 1), "processes": len(pids)}
    for _ in range(2):
        wait_quiet(options.quiet_s)
        figures = load(server, form(server.peer, cell), payload(server.peer, cell), cell.number, options.seconds)
        if figures["foreign_cores"] <= options.foreign_cores:
            break
    return figures


def check(server: Running, cell: Cell) -> float:
    """Ask once, compare with the in-process prediction; seconds since the server's start. Raises Failed."""
    slot = SLOTS[cell.load_slot]
    body = payload(server.peer, cell).read_bytes()
    return server.wait_answer(form(server.peer, cell), body, assets.expected(slot.artifact, slot.payload))


def form(peer: Peer, cell: Cell) -> Form:
    """How a contestant is asked in a cell."""
    return peer.forms[cell.load_slot]


def payload(peer: Peer, cell: Cell) -> Path:
    """The file that a contestant is sent."""
    return assets.PAYLOADS_DIR / f"{SLOTS[cell.load_slot].payload}.{form(peer, cell).payload}"


def told(figures: Figures) -> str:
    """The figures of a cell in a line."""
    if "p99_ms" in figures:
        return (
            f"{figures['good_per_s']:,.0f}/s, p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms, "
            f"{figures['errors']} errors, {figures['cpu_us']} us of CPU a request, others {figures['foreign_cores']}"
        )
    return ", ".join(f"{name} {value}" for name, value in figures.items())
