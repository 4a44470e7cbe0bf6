"""How long the server takes to its first 200 on /ping, beside what Python needs to import and load the same model.

    python -m bench.startup --model-dir DIR --bare 'import joblib; joblib.load("DIR/model.joblib")' [--rounds 7]

Runs the two in turn, so that a noisy machine is noisy for both; what counts is the median of the differences.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from local_test.run import LocalServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--bare", required=True, help="Python statements that import the library and load the model")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    pairs = []
    for number in range(options.rounds):
        pairs.append((bare_s(options.bare), first_ping_s(options.model_dir)))
        print(f"round {number + 1} of {options.rounds}: {pairs[-1][0]:.2f} s, {pairs[-1][1]:.2f} s", file=sys.stderr)
    report(pairs, options.output)


def bare_s(statements: str) -> float:
    """Seconds for a Python process that does only these statements."""
    started_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", statements], check=True)
    return time.perf_counter() - started_s


def first_ping_s(model_dir: Path) -> float:
    """Seconds from the start of the server's process to the first 200 on /ping."""
    started_s = time.perf_counter()
    with LocalServer(model_dir, log=subprocess.DEVNULL) as server:
        server.wait_ready()
        return time.perf_counter() - started_s


def report(pairs: list[tuple[float, float]], output: str) -> None:
    """Medians, and the median, least and greatest difference."""
    differences = [server - bare for bare, server in pairs]
    figures = {
        "bare_s": statistics.median(bare for bare, _ in pairs),
        "server_s": statistics.median(server for _, server in pairs),
        "difference_s": statistics.median(differences),
        "difference_min_s": min(differences),
        "difference_max_s": max(differences),
    }
    if output == "json":
        print(json.dumps({"rounds": len(pairs), **figures}))
    else:
        print("\n".join(f"{name:18} {value:6.2f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
