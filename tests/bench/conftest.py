"""Fixtures of the benchmark's tests: the models, a contestant of our own, the environment that draws plots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import assets
from bench.machine import check
from bench.raw import Measurement, Result
from bench.slots import Unknown

ROOT = Path(__file__).absolute().parents[2]
CONSTANT = Path(__file__).with_name("constant.py")
TOOLS = ROOT / "build/bench/tools/venv"

HERE: dict[str, Any] = {"cwd": ROOT, "env": {**os.environ, "BENCH_LOCK": os.devnull}, "check": False}
"""How the programs are run. Tests measure nothing: they need not wait for a benchmark."""

Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def machine() -> None:
    """Skip where benchmarks cannot run; CI installs wrk."""
    try:
        check()
    except Unknown as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the models, made once for all runs."""
    assets.make()
    return assets.ASSETS_DIR


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., Path]:
    """add(name, answer) writes the file that --add takes, for a server that always answers so."""

    def write(name: str, answer: str) -> Path:
        path = tmp_path / f"{name}.json"
        command = f"{sys.executable} {CONSTANT} {{port}} {answer}"
        path.write_text(json.dumps({"name": name, "command": command, "forms": {"rf": None, "ner": None}}))
        return path

    return write


@pytest.fixture
def bench(models: Path, tmp_path: Path) -> Bench:
    """Runs python -m bench with short loads; its raw JSON goes into tmp_path/races.json."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(bench_command(tmp_path, *arguments), capture_output=True, text=True, timeout=120, **HERE)

    return run


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of ours: python -m ..."""
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **HERE)


def bench_command(folder: Path, *arguments: object) -> list[str]:
    short = ["--rounds", "1", "--seconds", "1", "--warm-up", "1", "--quiet", "0", "--save", str(folder / "races.json")]
    return [sys.executable, "-m", "bench", *short, *map(str, arguments)]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The Python of bench/requirements.lock, made as `make bench` makes it, once."""
    target = str(TOOLS.relative_to(ROOT) / "ready")
    done = subprocess.run(["make", "-s", target, f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return TOOLS / "bin/python"


@pytest.fixture
def races() -> Result:
    """Two servers in two rounds; the second round is half as fast for both."""
    figures = [("ours", 0, 1000.0), ("other", 0, 500.0), ("ours", 1, 500.0), ("other", 1, 200.0)]
    conditions = {"when": "now", "commit": "c0ffee", "cores": 2, "cpu": "a CPU", "python": "3.11", "nginx": "1.22",
                  "rounds": 2, "seconds": 1, "workers": 2}  # fmt: skip
    more = {"p50_ms": 1.0, "p99_ms": 2.0, "good": 100, "cpu_us": 300, "foreign_cores": 0.1}
    stages = {"queue": 0.0, "decode": 0.1, "predict": 0.3, "encode": 0.05, "rest": 0.5}
    loads = [
        Measurement(peer, cell, number, {"good_per_s": rate, "errors": 25 * (peer == "other"), **more}
                    | ({"stages_ms": stages} if peer == "ours" else {}))
        for peer, number, rate in figures for cell in ("csv:1", "csv:64")
    ]  # fmt: skip
    memory = [Measurement("ours", f"memory:{count}", 0, {"pss_mb": 100.0 + 30 * count}) for count in (2, 4)]
    start = [Measurement("ours", "start:2", 0, {"ping_s": 2.0, "answer_s": 2.5})]
    return Result("races", conditions, [*loads, *memory, *start])
