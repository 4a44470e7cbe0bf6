"""A few slow clients for a moment, beside a load."""

from __future__ import annotations

import json
from pathlib import Path

from bench.raw import Measurement, Result
from bench.slow_clients import ratios
from tests.bench.conftest import python


def test_slow_clients_are_measured_beside_none(models: Path) -> None:
    short = ("--connections", 30, "--pause", 0.1, "--load", 4, "--rounds", 2, "--seconds", 1, "--quiet", 0)
    ran = python("bench.slow_clients", *short, "--output", "json")
    assert ran.returncode == 0, ran.stderr
    measured = json.loads(ran.stdout)["measurements"]
    assert [each["peer"] for each in measured] == ["without", "with", "with", "without"]
    assert all(each["figures"]["good_per_s"] > 1 and each["figures"]["errors"] == 0 for each in measured)


def test_ratios_are_of_the_same_round() -> None:
    rates = [("without", 0, 100.0), ("with", 0, 90.0), ("with", 1, 60.0), ("without", 1, 50.0)]
    result = Result("slow_clients", {}, [Measurement(way, "csv:4", n, {"good_per_s": rate}) for way, n, rate in rates])
    assert ratios(result) == [0.9, 1.2]
