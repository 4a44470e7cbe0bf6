"""The fast way of reading CSV never gives another answer than the slow one, whatever the bytes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from container.codecs import csv_codec, csv_digits, csv_numbers, csv_records, decode
from container.codecs.rows import Rows
from container.errors import DecodeError, UnprocessableInput, UnsupportedMediaType

ODD_FIELDS = r"""
0|-0|+1|.5|1.|007|nan|NaN|NA|null|inf|1e400|1e-400|true|false|[1]|[|]|{}|"x"|""|"1"|"|1 2|1_0|٣|a|x\\|NaN1|nullnull
9007199254740993|1e5|1E+05|nNaN|-nan|],[|","|| |-
""".replace("\n", "|").split("|")
FIELDS = st.one_of(
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from([*ODD_FIELDS, "\t1", "1\x0c", "\x00", "\ufeff1", "\r"]),
)
LINES = st.lists(st.lists(FIELDS, min_size=1, max_size=4).map(",".join), max_size=5)
BODIES = st.builds(
    lambda lines, end, last: end.join(lines) + end * last, LINES, st.sampled_from(["\n", "\r\n"]), st.booleans()
)
SOUP = st.text(alphabet='0123456789.,-+eE"[]{}\\\n\r tfnulaNrsx\t', max_size=40)
NUMBER_GRIDS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.one_of(st.floats(allow_nan=False).map(repr), st.sampled_from(["", "NaN", "7", "null"])),
                 min_size=width, max_size=width).map(",".join),
        min_size=1, max_size=6,
    ).map("\n".join)
)  # fmt: skip
HEADERS = st.sampled_from(["auto", "present", "absent"])
NAMES = st.sampled_from([None, (), ("a", "b"), ("0", "1"), ("",), ("7",), ("nan", "a")])


def outcome(read, *args) -> Rows | str:
    try:
        return read(*args)
    except DecodeError as error:
        return error.detail


@given(st.one_of(BODIES, SOUP, NUMBER_GRIDS, NUMBER_GRIDS.map("a,b\n".__add__)), HEADERS, NAMES)
@example("\n1", "auto", None)
@example("NaN\n\n2", "absent", None)
@example('1,""\n2', "absent", None)
@example("1,2,3\n4\n5,6", "absent", None)
@example("a\n\n1", "present", None)
@settings(max_examples=500, deadline=None)
def test_the_fast_way_equals_the_slow_way_or_declines(body, header, names):
    fast = csv_codec._decode_numbers(body.encode(), header, names)
    if fast is None:
        return
    slow = outcome(csv_records.parse, body, header, names)
    assert isinstance(slow, Rows), slow
    assert (fast.columns, fast.values.shape) == (slow.columns, slow.values.shape)
    np.testing.assert_array_equal(fast.values, slow.values)


@given(NUMBER_GRIDS)
@settings(max_examples=300, deadline=None)
def test_grids_of_finite_json_numbers_take_the_fast_way(body):
    """Without this the property above could hold because nothing is ever fast."""
    usual = not any(word in body for word in ("inf", "\n\n")) and not body.startswith("\n") and not body.endswith("\n")
    if usual and body:
        assert csv_numbers.parse(body.encode()) is not None


@given(st.binary(max_size=60), st.sampled_from(["text/csv", "text/csv; charset=utf-16", "text/csv; header=present"]))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_rows_or_a_clients_error(body, content_type):
    try:
        rows = decode(body, content_type)
    except (DecodeError, UnsupportedMediaType, UnprocessableInput):
        return
    assert rows.values.ndim == 2


ROWS = csv_digits.FEWEST_ROWS
COLUMNS = ["{:.0f}", "{:.1f}", "{:.3f}", "{:.7f}", "{:.12f}", "{:05.1f}"]
ODD_BYTES = st.sampled_from("0123456789..--,,\n\n+e :/;aN\x00é")
EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 2), ODD_BYTES))
LAYOUTS = ["7", "1.5", "-1.5,2", "1,2.25", "0.1,0.2"]


@st.composite
def edited_tables(draw) -> tuple[str, int]:
    """Numbers alike in each column, then bytes of it put in, overwritten or left out."""
    forms = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    scale = draw(st.sampled_from([0.01, 1, 1e3, 1e8]))
    numbers = random.Random(draw(st.integers(0, 999)))
    lines = range(draw(st.integers(ROWS, 12)))
    text = "\n".join(",".join(form.format(numbers.gauss(0, scale)) for form in forms) for _ in lines)
    for place, cut, byte in draw(EDITS):
        at = place % (len(text) + 1)
        text = text[:at] + byte * (cut < 2) + text[at + (cut > 0) :]
    return text, len(forms)


def assert_digits_are_right_or_declined(text: str, width: int) -> bool:
    """Equal in every bit to what float() makes of the fields; whether they were read."""
    fast = csv_digits.parse(text.encode(), width)
    if fast is None:
        return False
    slow = outcome(csv_records.parse, text, "absent", None)
    assert isinstance(slow, Rows), (text, slow)
    assert fast.shape == slow.values.shape, text
    assert fast.tobytes() == slow.values.tobytes(), text
    return True


@given(edited_tables())
@settings(max_examples=1000, deadline=None)
def test_digits_equal_the_slow_way_in_every_bit_or_decline(table):
    assert_digits_are_right_or_declined(*table)


@pytest.mark.parametrize("line", LAYOUTS)
@pytest.mark.parametrize("row", [0, ROWS // 2, ROWS - 1])
def test_any_four_odd_bytes_in_a_table_are_read_right_or_declined(line, row):
    """All of them, in place of one field or of one line."""
    rows = [line] * ROWS
    for length in range(5):
        for odd in map("".join, itertools.product("1.-,\n/", repeat=length)):
            for field in {odd, ",".join([odd, *rows[row].split(",")[1:]])}:
                text = "\n".join([*rows[:row], field, *rows[row + 1 :]])
                assert_digits_are_right_or_declined(text, rows[0].count(",") + 1)


@pytest.mark.parametrize("lines", ["1,2,3\n4", "1\n2,3,4", "1\n2\n3,4", "1,2,3,4"])
def test_a_line_end_in_the_wrong_place_is_declined(lines):
    """As many fields, or as many lines, as there should be."""
    assert not assert_digits_are_right_or_declined("\n".join(["5,6"] * ROWS + [lines] + ["7,8"] * ROWS), 2)


@pytest.mark.parametrize("zeros", [13, 14, 253, 254, 255, 256, 510, 65534])
def test_a_number_longer_than_the_others_is_read_right_or_declined(zeros):
    """Lengths are kept in a byte each."""
    text = "\n".join(["5"] * ROWS + [f"1{'0' * zeros}7"] + ["6"] * ROWS)
    assert assert_digits_are_right_or_declined(text, 1) == (zeros < 15)


def test_any_five_bytes_in_all_rows_are_read_right_or_declined():
    for length in range(6):
        for field in map("".join, itertools.product("07.-:", repeat=length)):
            assert_digits_are_right_or_declined("\n".join([field] * ROWS), 1)


@pytest.mark.parametrize("digits", range(1, 16))
@pytest.mark.parametrize("decimals", range(15))
def test_numbers_of_up_to_15_digits_are_read_by_digits(digits, decimals):
    """Without this the properties above could hold because all is declined."""
    numbers = random.Random(digits * 16 + decimals)
    whole = max(digits - decimals, 1)
    texts = [f"{numbers.choice(['', '-'])}{numbers.randrange(10**whole)}" for _ in range(40)]
    parts = [f".{numbers.randrange(10**decimals):0{decimals}}" if decimals else "" for _ in texts]
    fields = [text + part for text, part in zip(texts, parts, strict=True)]
    rows = [f"{field},{number}" for number, field in enumerate(fields)]
    assert assert_digits_are_right_or_declined("\n".join(fields), 1)
    assert assert_digits_are_right_or_declined("\n".join(rows), 2)


BORDER_CASES = {
    "9007199254740991": True,
    "9007199254740992": False,
    "90071992.54740991": True,
    "90071992.54740993": False,
    "00000000000000001": False,
    "-0.0": True,
    "-0": True,
    "5.": True,
    ".5": False,
}


@pytest.mark.parametrize(("field", "read"), BORDER_CASES.items())
def test_digits_stop_where_a_double_stops_counting(field, read):
    assert assert_digits_are_right_or_declined("\n".join([field] * ROWS), 1) == read
