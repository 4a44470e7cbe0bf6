"""Many models for a moment: what is told of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import many
from tests.bench.conftest import python


def test_a_crowd_is_listed_and_asked_and_its_memory_comes_back(models: Path, tmp_path: Path) -> None:
    short = ("--models", 8, "--places", 3, "--parts", "crowd", "--quiet", 0, "--save", tmp_path / "models.json")
    ran = python("bench.many", *short, "--output", "json")
    assert ran.returncode == 0, ran.stderr
    (crowd,) = (each["figures"] for each in json.loads(ran.stdout)["measurements"])
    assert (crowd["models"], crowd["listed"]) == (8, True)
    assert crowd["unloaded_mb"] < crowd["loaded_mb"]


def test_an_unknown_part_is_told_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert many.main(["--parts", "nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
