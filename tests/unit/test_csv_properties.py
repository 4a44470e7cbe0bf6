"""The fast way of reading CSV never gives another answer than the slow one, whatever the bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from container.codecs import csv_codec, csv_numbers, csv_records, decode
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
