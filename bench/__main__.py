"""Our server against its peers, in interleaved rounds: python -m bench [--peers ...] [--cells ...] [--rounds N]

`make bench` runs it and then bench.report. docs/performance.md explains peers, cells and figures.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from bench import assets, environments
from bench.contestants import ALL, Peer, choose, python_of, read_peers
from bench.environments import BUILD_DIR
from bench.machine import prepare
from bench.races import Life, Options, plan, run
from bench.raw import Result, conditions
from bench.slots import DEFAULT_CELLS, Unknown, parse_cells
from bench.tables import text_tables

SAVE = BUILD_DIR / "races.json"


def main(arguments: list[str] | None = None) -> int:
    """0 when every contestant finished, 1 when one failed, 2 when nothing could be measured."""
    options = read_options(arguments)
    try:
        added = [peer for path in options.add for peer in read_peers(path)]
        peers, cells = choose(options.peers, added), parse_cells(options.cells or DEFAULT_CELLS)
        prepare()
    except Unknown as unknown:
        print(f"bench: {unknown}", file=sys.stderr)
        return 2
    try:
        result = race(peers, plan(peers, cells, pace := pace_of(options)), pace, options.save)
    except environments.NotInstalled as missing:
        print(f"bench: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nbench: stopped; {options.save} has what was measured", file=sys.stderr)
        return 130
    print(result.text() if options.output == "json" else text_tables(result))
    return 1 if result.failures else 0


def race(peers: list[Peer], lives: list[Life], pace: Options, save: Path) -> Result:
    """Install, make the models, run all lives."""
    environments.make(peers)
    assets.make()
    result = Result("races", conditions(**asdict(pace), peers={peer.name: peer.label for peer in peers}))
    result.packages = {peer.environment or "ours": environments.versions(python_of(peer, BUILD_DIR)) for peer in peers}
    run(lives, pace, result, save)
    return result


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    pace = Options()
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="peers:\n" + "\n".join(f"  {peer.name:15} {peer.label} ({peer.group})" for peer in ALL),
    )  # fmt: skip
    parser.add_argument("--peers", default="", help="names and groups, such as ours,fastapi,limit (default: everyone)")
    parser.add_argument("--cells", default="", help=f"what is measured (default: {DEFAULT_CELLS})")
    parser.add_argument("--rounds", type=int, default=pace.rounds, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=pace.seconds, help="of load a cell (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=pace.workers, help="of each server (default: %(default)s)")
    parser.add_argument("--warm-up", type=float, default=pace.warm_up_s, help="seconds (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=pace.quiet_s,
                        help="seconds to wait at most for a quiet machine (default: %(default)s)")  # fmt: skip
    parser.add_argument("--add", type=Path, action="append", default=[], help="JSON file with servers of your own")
    parser.add_argument("--save", type=Path, default=SAVE, help="where the raw JSON goes (default: %(default)s)")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def pace_of(options: argparse.Namespace) -> Options:
    """wrk's -d takes whole seconds."""
    return Options(
        rounds=max(1, options.rounds), seconds=max(1, round(options.seconds)), workers=options.workers,
        warm_up_s=max(1, round(options.warm_up)), quiet_s=options.quiet,
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
