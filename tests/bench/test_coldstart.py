"""Where a start's time goes: real starts, and a report that adds up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.coldstart import PHASES, main, packages, text
from tests.system.sample import train


def test_a_start_is_told_by_phase_and_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model_dir = train(tmp_path)
    assert main(["--rounds", "1", "--model-dir", str(model_dir), "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["phases_ms"].keys() == PHASES.keys()
    assert all(spent > 0 for spent in found["phases_ms"].values())
    assert {"sklearn", "numpy", "container"} <= found["packages_ms"].keys()


def test_a_start_that_fails_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "1", "--model-dir", str(tmp_path / "none")]) == 1
    assert "the server did not start" in capsys.readouterr().err


def test_modules_are_added_up_by_package_and_cheap_ones_put_together() -> None:
    assert packages({"a": 1.0, "a.b": 20.0, "c": 2.0, "d": 3.0}) == {"a": 21.0, "d": 3.0, "c": 2.0}
    told = text({"phases_ms": dict.fromkeys(PHASES, 10.0), "packages_ms": {"a": 21.0, "d": 3.0, "c": 2.0}})
    assert "a                                          21 ms" in told
    assert "all others                                  5 ms" in told
