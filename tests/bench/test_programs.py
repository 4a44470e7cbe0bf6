"""The benchmark's other programs, run for a moment: growth, startup, ensure_wrk.sh."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench import growth
from tests.bench.conftest import ROOT, python
from tests.unit.shell import Shell


def test_growth_measures_its_points(models: Path, tmp_path: Path) -> None:
    save = tmp_path / "growth.json"
    series = "bytes:1000;model_mb:1"
    ran = python("bench.growth", "--series", series, "--rounds", 1, "--seconds", 1, "--quiet", 0, "--save", save)
    assert ran.returncode == 0, ran.stderr
    raw = json.loads(save.read_text())
    assert sorted(each["cell"] for each in raw["measurements"]) == sorted(series.split(";"))
    assert all(each["figures"]["good_per_s"] > 1 and each["figures"]["errors"] == 0 for each in raw["measurements"])


def test_growth_of_an_unknown_thing_is_told_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert growth.main(["--series", "luck:1"]) == 2
    known = "rows, bytes, connections, workers, model_mb"
    assert capsys.readouterr().err == f"growth: no cell is called 'luck'; there are: {known}\n"


def test_each_series_grows_in_one_thing(models: Path) -> None:
    cells = growth.parse_cells("rows:2500;connections:7;workers:3", growth.SERIES)
    rows, connections, workers = (growth.SERIES[cell.slot](cell) for cell in cells)
    assert (len(rows.payload.read_text().splitlines()), len(rows.expected)) == (2500, 2500)
    assert (rows.connections, rows.workers) == (8, 2)
    assert (connections.connections, connections.workers) == (7, 2)
    assert (workers.connections, workers.workers, workers.model_dir) == (64, 3, models / "m1")


def test_the_start_is_measured_beside_a_bare_import(models: Path) -> None:
    ran = python(
        "bench.startup", "--model-dir", models / "m1", "--bare", "import joblib", "--rounds", 1, "--output", "json"
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["server_s"] - told["bare_s"] == pytest.approx(told["difference_s"])


def test_without_wrk_and_a_package_manager_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    done = Shell(tmp_path).run(ROOT / "bench/ensure_wrk.sh")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("wrk is missing. Install it with your system's package manager")


def test_wrk_that_is_there_is_found() -> None:
    done = subprocess.run([ROOT / "bench/ensure_wrk.sh"], capture_output=True, check=True)
    assert done.stdout == b""
