"""Many different requests at once, for long: python -m bench.soak [--minutes 10]

Each answer is held against what only its sender knows; among the requests are bad ones, slow ones and clients that
leave. Prints statuses and the memory of each worker; 1 when an answer was wrong, a worker ended or memory grew.
`make soak MINUTES=10` runs it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from bench.contestants import ALL
from bench.environments import BUILD_DIR
from bench.machine import prepare, say
from bench.processes import command_of, resident_mb
from bench.servers import Failed, Running
from bench.slots import Unknown
from bench.soak_clients import PREDICTOR, TIMEOUT_S, Client

(OURS,) = (peer for peer in ALL if peer.name == "ours")
ARTIFACT = BUILD_DIR / "soak"
ENV = {"SAGEMAKER_MODEL_SERVER_TIMEOUT": str(TIMEOUT_S), "SERVING_MAX_WAIT": "3600"}
"""Nobody is refused for what slow ones may make of the wait: each answer but a late one must be there."""
SLOW_CLIENTS, SLOW_PAUSE_S = 6, 4.0
WARM_UP_SHARE = 0.4
"""Until then buffers and malloc's arenas reach the size that they keep."""

GROWTH_MB = 8.0
"""More than that, by the line of least squares over all the time after the warm-up, is growth."""


@dataclass
class Watch:
    """The memory of each worker, by time."""

    samples: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def look(self, server: Running, now_s: float) -> None:
        """Note the memory of each gunicorn worker that lives now."""
        for pid in workers(server):
            self.samples.setdefault(pid, []).append((now_s, resident_mb(pid)))

    def growth_mb(self) -> dict[int, float]:
        """Process id -> growth after the warm-up."""
        return {pid: growth_mb(samples) for pid, samples in self.samples.items()}


def growth_mb(samples: Sequence[tuple[float, float]]) -> float:
    """How much the line of least squares rises over the samples that come after the warm-up."""
    late = samples[int(len(samples) * WARM_UP_SHARE) :]
    if len(late) < 2:
        return 0.0
    mean_s, mean_mb = fmean(at for at, _ in late), fmean(mb for _, mb in late)
    spread = sum((at - mean_s) ** 2 for at, _ in late)
    slope = sum((at - mean_s) * (mb - mean_mb) for at, mb in late) / spread
    return slope * (late[-1][0] - late[0][0])


def workers(server: Running) -> list[int]:
    """The gunicorn workers: the children of gunicorn's master."""
    ours = {pid: command_of(pid) for pid in server.pids()}
    masters = [pid for pid, (_, command) in ours.items() if "gunicorn" in command]
    return sorted(pid for pid, (parent, _) in ours.items() if parent in masters)


def main(arguments: list[str] | None = None) -> int:
    """0 when all was right; 1 when not, with what was wrong; 2 for a machine that this cannot run on."""
    options = read_options(arguments)
    try:
        prepare()
        report = soak(options)
    except Unknown as unknown:
        print(f"soak: {unknown}", file=sys.stderr)
        return 2
    except Failed as failed:
        print(f"soak: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report, indent=1) if options.output == "json" else told(report))
    return 1 if report["wrong"] else 0


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Run for so long; what came of it. Raises Failed when the server does not start."""
    shutil.rmtree(ARTIFACT, ignore_errors=True)
    (ARTIFACT / "code").mkdir(parents=True)
    (ARTIFACT / "code/inference.py").write_text(options.predictor)
    with Running(OURS, ARTIFACT, options.workers, ENV) as server:
        server.wait_ready()
        clients, watch = load(server, options)
    statuses = sum((client.told.statuses for client in clients), Counter[str]())
    wrong = [text for client in clients for text in client.told.wrong]
    return {
        "minutes": options.minutes, "clients": options.clients, "seed": options.seed,
        "requests": statuses.total(), "statuses": dict(sorted(statuses.items())),
        "memory_mb": {pid: shortened(samples) for pid, samples in watch.samples.items()},
        "growth_mb": {pid: round(each, 2) for pid, each in watch.growth_mb().items()},
        "wrong": [*wrong, *faults(watch, statuses, options)],
    }  # fmt: skip


def load(server: Running, options: argparse.Namespace) -> tuple[list[Client], Watch]:
    """All clients at once, each in a thread, and a look at memory meanwhile."""
    watch, begun_s = Watch(), time.monotonic()
    end_s = begun_s + options.minutes * 60
    clients = [Client(server.port, number, options.seed) for number in range(options.clients + SLOW_CLIENTS)]
    threads = [threading.Thread(target=client.run_until, args=(end_s,)) for client in clients[SLOW_CLIENTS:]]
    threads += [threading.Thread(target=client.run_slowly_until, args=(end_s, SLOW_PAUSE_S))
                for client in clients[:SLOW_CLIENTS]]  # fmt: skip
    for thread in threads:
        thread.start()
    while (now_s := time.monotonic()) < end_s:
        watch.look(server, now_s - begun_s)
        time.sleep(min(0.5, max(0.0, end_s - now_s)))
    for thread in threads:
        thread.join()
    say(f"{sum(client.told.statuses.total() for client in clients):,} requests")
    return clients, watch


def faults(watch: Watch, statuses: Counter[str], options: argparse.Namespace) -> list[str]:
    """What was wrong besides single answers."""
    found = [f"worker {pid} grew by {each:.1f} MB" for pid, each in watch.growth_mb().items() if each > GROWTH_MB]
    if len(watch.samples) != options.workers:
        found.append(f"{len(watch.samples)} workers were seen, not {options.workers}: some ended")
    if not statuses["200"]:
        found.append("nothing was answered")
    return found


def shortened(samples: Sequence[tuple[float, float]], limit: int = 12) -> list[float]:
    """A few of them, evenly."""
    step = max(1, len(samples) // limit)
    return [round(mb, 1) for _, mb in samples[::step]]


def told(report: dict[str, Any]) -> str:
    """The report in lines."""
    counts = ", ".join(f"{count:,} {status}" for status, count in report["statuses"].items())
    lines = [f"{report['requests']:,} requests of {report['clients']} clients: {counts}"]
    for pid, samples in report["memory_mb"].items():
        lines.append(f"worker {pid}: {samples} MB; {report['growth_mb'][pid]:+.1f} MB after the warm-up")
    wrong = report["wrong"]
    return "\n".join([*lines, *wrong[:20], f"{len(wrong)} faults" if wrong else "every answer was its sender's own"])


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=24, help="at once (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of what is sent (default: %(default)s)")
    parser.add_argument("--predictor", default=PREDICTOR, help="another one's text, to see the soak fail")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
