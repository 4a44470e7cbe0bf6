"""A soak of CI's length, which also holds memory flat over thousands of requests; that a soak finds what it is for."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
import pytest

from bench.machine import prepare
from bench.soak import GROWTH_MB, growth_mb, read_options, soak
from bench.soak_clients import CSV, JSON, NPY, PREDICTOR, decode, encode
from tests.bench.conftest import python

MIXES_UP = PREDICTOR.replace("return model * data[:, 0] + data[:, 1]", "return (model * data[:, 0] + data[:, 1])[::-1]")
LEAKS = (
    PREDICTOR.replace("    if (data[:, 0] < 0)", "    KEPT.append(b'x' * 200_000)\n    if (data[:, 0] < 0)")
    + "KEPT = []\n"
)


@pytest.mark.slow
def test_every_answer_is_its_senders_own_and_memory_is_flat() -> None:
    ran = python("bench.soak", "--minutes", 20 / 60, "--output", "json")
    report = json.loads(ran.stdout)
    assert (report["wrong"], ran.returncode) == ([], 0)
    assert report["requests"] > 1000
    assert {"200", "400", "500", "left in the body", "left in the answer"} <= report["statuses"].keys()
    assert "503" not in report["statuses"]
    assert len(report["memory_mb"]) == 2


def test_answers_in_the_wrong_order_are_found() -> None:
    report = soak(short(MIXES_UP))
    assert any("someone else's answer" in each for each in report["wrong"])


def test_memory_that_grows_is_found() -> None:
    report = soak(short(LEAKS, minutes=0.1))
    assert any("grew by" in each for each in report["wrong"])


def short(predictor: str, minutes: float = 0.04) -> argparse.Namespace:
    prepare()
    options = read_options(["--minutes", str(minutes), "--clients", "8", "--workers", "1"])
    options.predictor = predictor
    return options


@pytest.mark.parametrize("media_type", [CSV, JSON, NPY])
def test_large_numbers_come_through_every_form(media_type: str) -> None:
    """Rows of one column, as answers are."""
    values = np.array([[3.0], [2.0 * 10**13 + 1]])
    written = encode(values if media_type == CSV else values[:, 0], media_type)
    assert decode(written, media_type) == [3.0, 2.0 * 10**13 + 1]


def test_growth_is_what_the_line_of_least_squares_rises_after_the_warm_up() -> None:
    def samples(memory: Any) -> list[tuple[float, float]]:
        return [(float(at), memory(at)) for at in range(100)]

    assert growth_mb(samples(lambda at: 50.0 + at)) == pytest.approx(59)
    assert growth_mb(samples(lambda at: min(80.0, 50.0 + at))) == pytest.approx(0, abs=1e-9)
    assert abs(growth_mb(samples(lambda at: 50 + 5 * math.sin(at)))) < GROWTH_MB / 4
    assert growth_mb([(0.0, 1.0)]) == 0.0
