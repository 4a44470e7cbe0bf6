"""Where the time of a cold start goes: python -m bench.coldstart [--model-dir DIR] [--rounds 5]

Starts the server some times and takes what its log says of each phase; then imports and loads once with
`python -X importtime`, and adds up what each package took. `make coldstart` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench.environments import PROJECT_DIR
from local_test.run import LocalServer, server_environment

LOAD = """
from container import app, handlers, settings
app.create_app(settings.Settings.from_environ(), handlers.load_predictor())
"""
PREFIX = "import time:"
LEAST_MS = 10.0
BAR_WIDTH = 30
PHASES = {
    "workers": "supervisor: settings, nginx.conf",
    "model_loaded": "gunicorn, imports and model",
    "warmed_up": "the manifest's sample request, once",
    "serving": "fork, and reports of all workers",
}
"""Event of the log -> what was done until then, since the one before."""


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where the server did not start."""
    parser = argparse.ArgumentParser(prog="python -m bench.coldstart", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model-dir", type=Path, default=PROJECT_DIR / "local_test/test_dir/model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    model_dir = options.model_dir.absolute()
    try:
        starts = [phases(model_dir) for _ in range(options.rounds)]
    except RuntimeError as error:
        print(f"coldstart: {error}", file=sys.stderr)
        return 1
    found = {
        "phases_ms": {name: round(median(start[name] for start in starts), 1) for name in PHASES},
        "packages_ms": packages(import_times(model_dir)),
    }
    print(json.dumps(found, indent=1) if options.output == "json" else text(found))
    return 0


def phases(model_dir: Path) -> dict[str, float]:
    """Milliseconds of each phase of one start, by the times in its log. Raises RuntimeError with its last line."""
    with tempfile.TemporaryFile() as log:
        began_s = time.time()
        with contextlib.suppress(RuntimeError), LocalServer(model_dir, log=log) as server:
            server.wait_ready()
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()
    seen = dict(reversed([each for each in map(_moment, lines) if each]))  # the first of each counts
    if "serving" not in seen:
        raise RuntimeError(f"the server did not start: {lines[-1]}")
    moments = [began_s]
    for name in PHASES:
        moments.append(seen.get(name, moments[-1]))  # an artifact without a sample is not warmed up
    return {name: (after - before) * 1000 for name, (before, after) in zip(PHASES, pairwise(moments), strict=True)}


def _moment(line: str) -> tuple[str, float] | None:
    """The event of a line of the log, and its Unix time."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        told = json.loads(line)
        return told["event"], datetime.fromisoformat(told["time"]).timestamp()
    return None


def import_times(model_dir: Path) -> dict[str, float]:
    """Module -> milliseconds of its own."""
    command = [sys.executable, "-X", "importtime", "-c", LOAD]
    env = {**os.environ, **server_environment(model_dir, 8080), "SERVING_RUN_DIR": "/nonexistent"}
    done = subprocess.run(command, cwd=PROJECT_DIR, env=env, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith(PREFIX)]
    rows = [line.removeprefix(PREFIX).split("|") for line in lines]
    return {name.strip(): int(own) / 1000 for own, _, name in rows[1:]}


def packages(modules: dict[str, float]) -> dict[str, float]:
    """Package -> milliseconds, the dearest first."""
    total: dict[str, float] = {}
    for name, own_ms in modules.items():
        package = name.partition(".")[0]
        total[package] = total.get(package, 0.0) + own_ms
    return {name: round(total[name], 1) for name in sorted(total, key=total.__getitem__, reverse=True)}


def text(found: dict[str, dict[str, float]]) -> str:
    starts = {PHASES[name]: spent for name, spent in found["phases_ms"].items()}
    dear = {name: spent for name, spent in found["packages_ms"].items() if spent >= LEAST_MS}
    dear["all others"] = sum(found["packages_ms"].values()) - sum(dear.values())
    heading = f"Imports and model by package, those of {LEAST_MS:g} ms and more; -X importtime slows them down:"
    return "\n".join(["A start, median:", *bars(starts), "", heading, *bars(dear)])


def bars(spent_ms: dict[str, float]) -> list[str]:
    """A line each, with a bar."""
    most = max(spent_ms.values(), default=1.0)
    return [f"  {name:38} {ms:6.0f} ms  {'#' * round(BAR_WIDTH * ms / most)}" for name, ms in spent_ms.items()]


if __name__ == "__main__":
    raise SystemExit(main())
