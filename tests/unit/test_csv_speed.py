"""CSV of numbers is read faster than pandas reads it, and large bodies in reasonable time.

Bounds are below what bench/csv_decode.py measures, so that a busy machine does not fail them: they catch a fast way
that is no longer taken.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from bench.csv_decode import FORMS, body, compare
from container.codecs import csv_digits, decode


def test_one_row_is_at_least_5_times_as_fast_as_pandas():
    ours_us, pandas_us = compare(body(1, 4, FORMS["6 decimals"]), rounds=101)
    assert pandas_us / ours_us >= 5


ALIKE = ("integers", "1 decimal", "3 decimals", "4 decimals", "6 decimals")


@pytest.mark.parametrize("columns", [4, 10])
@pytest.mark.parametrize("form", ALIKE)
def test_a_thousand_rows_are_read_faster_than_by_pandas(form, columns):
    """3 to 6 times as fast where it was measured, 2.1 in the worst run; the best of some rounds counts."""
    text = body(1000, columns, FORMS[form])
    ratios = []
    while not ratios or (max(ratios) < 1.5 and len(ratios) < 8):
        ours_us, pandas_us = compare(text, rounds=11)
        ratios.append(pandas_us / ours_us)
    assert max(ratios) >= 1.5


@pytest.mark.parametrize("columns", [4, 10])
@pytest.mark.parametrize("form", ALIKE)
def test_numbers_that_are_alike_go_the_fastest_way(form, columns):
    """Whatever the machine is doing: a fast way that is no longer taken shows here."""
    assert csv_digits.parse(body(1000, columns, FORMS[form]).rstrip(b"\n"), columns) is not None


@pytest.mark.parametrize(("form", "limit_s"), [("1 decimal", 2), ("6 decimals", 2), ("17 digits", 5)])
def test_25_mb_of_numbers_are_read_within_seconds(form, limit_s):
    """INV-03. 0.15 to 0.45 s measured; the bounds are for a machine with many neighbours."""
    lines = body(1000, 10, FORMS[form])
    text = lines * (25_000_000 // len(lines))
    start = time.perf_counter()
    values = decode(text, "text/csv").values
    assert time.perf_counter() - start < limit_s
    assert values.shape == (text.count(b"\n"), 10)


@pytest.mark.slow
def test_25_mb_with_text_are_read_within_seconds():
    """The slow way: some 8 s for a million rows on a busy machine."""
    text = b'1.5,"a text, quoted",3\n' * (25_000_000 // 23)
    start = time.perf_counter()
    values = decode(text, "text/csv").values
    assert time.perf_counter() - start < 40
    assert values[-1].tolist() == [1.5, "a text, quoted", 3.0]
    assert values.dtype == np.dtype(object)
