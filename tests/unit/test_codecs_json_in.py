"""What JSON and JSON Lines bodies mean, and how their errors name the place."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.codecs import Rows, decode
from container.errors import DecodeError, UnprocessableInput

NAN = float("nan")
JSON = "application/json"
LINES = "application/jsonlines"


def assert_rows(rows: Rows, values: list, columns: tuple[str, ...] | None = None):
    assert isinstance(rows, Rows)
    assert rows.columns == columns
    assert rows.values.tolist() == values or np.array_equal(rows.values, values, equal_nan=True)


@pytest.mark.parametrize(
    "body",
    [
        b"[[1,2],[3,4]]",
        b'{"instances": [[1,2],[3,4]]}',
        b'{"inputs": [[1.0,2],[3,4]]}',
        b'\xef\xbb\xbf{"instances":[[1,2],[3,4]]}',
        b'\n [\r\n[1, 2],\t[3e0, 4]]\n',
    ],
)  # fmt: skip
def test_lists_of_numbers_are_rows(body):
    rows = decode(body, JSON)
    assert rows.values.dtype == np.float64
    assert_rows(rows, [[1, 2], [3, 4]])


@pytest.mark.parametrize("key", ["instances", "dataframe_records", "inputs"])
def test_records_are_rows_with_columns(key):
    body = orjson.dumps({key: [{"a": 1, "b": "x"}, {"b": "y", "a": 2}]})
    assert_rows(decode(body, JSON), [[1.0, "x"], [2.0, "y"]], ("a", "b"))


def test_a_key_that_a_record_lacks_is_a_missing_value():
    assert_rows(decode(b'[{"a":1},{"a":2,"b":3}]', JSON), [[1, NAN], [2, 3]], ("a", "b"))


def test_dataframe_split_is_rows_with_columns():
    body = b'{"dataframe_split": {"columns": ["a", 1], "index": [7], "data": [[1, null]]}}'
    assert_rows(decode(body, JSON), [[1, NAN]], ("a", "1"))


@pytest.mark.parametrize(
    "split", [{}, {"columns": ["a"]}, {"columns": 1, "data": []}, {"columns": ["a"], "data": [[[]]]}]
)
def test_a_broken_dataframe_split_is_422(split):
    with pytest.raises(UnprocessableInput, match="dataframe_split"):
        decode(orjson.dumps({"dataframe_split": split}), JSON)


def test_a_split_row_of_another_width_is_named():
    with pytest.raises(UnprocessableInput, match="row 2 has 2 values"):
        decode(b'{"dataframe_split": {"columns": ["a"], "data": [[1],[2,3]]}}', JSON)


def test_null_is_nan_among_numbers_and_none_among_texts():
    rows = decode(b'[["a",1],[null,null]]', JSON)
    assert rows.values[1, 0] is None
    assert np.isnan(rows.values[1, 1])


def test_a_text_that_looks_like_a_number_stays_text():
    """A category "1" is not the number 1."""
    assert decode(b'[["1", 2]]', JSON).values.tolist() == [["1", 2.0]]


def test_texts_stay_a_list():
    assert decode(b'["a","b"]', JSON) == ["a", "b"]


def test_one_long_text_among_many_takes_no_more_memory_than_itself():
    """numpy would make each of them as long as the longest: here 4 TB."""
    texts = ["x" * 10_000_000] + ["y"] * 100_000
    assert decode(orjson.dumps(texts), JSON) == texts
    assert decode(orjson.dumps([[text] for text in texts]), JSON).values.shape == (100_001, 1)


@pytest.mark.parametrize(("body", "shape"), [(b"[1,2,3]", (3,)), (b"[[[1],[2]]]", (1, 2, 1)), (b"[[]]", (1, 0))])
def test_numbers_keep_their_shape(body, shape):
    value = decode(body, JSON)
    assert getattr(value, "values", value).shape == shape


@pytest.mark.parametrize(
    "value",
    [
        {"input": "x"},
        {"instances": [[1]], "more": 1},
        {"inputs": "x"},
        5,
        "x",
        None,
        True,
        [],
        [[1, {"a": 2}]],
        ["a", 1],
    ],
)
def test_any_other_json_is_as_it_is(value):
    assert decode(orjson.dumps(value), JSON) == value


@pytest.mark.parametrize("body", [b"[[1,2],[3]]", b"[[1,2],[3,4,5]]", b'[["a",2],["b"]]', b"[[1,2],3]", b'[{"a":1},3]'])
def test_a_row_unlike_the_first_is_named(body):
    with pytest.raises(UnprocessableInput, match="row 2"):
        decode(body, JSON)


def test_of_a_key_named_twice_the_last_counts():
    assert decode(b'{"a":1,"a":2}', JSON) == {"a": 2}


def test_integers_of_any_size_are_the_nearest_float():
    values = [2**53 + 1, 2**63, -(2**63), 2**64, 10**30]
    assert decode(json.dumps([values]).encode(), JSON).values.tolist() == [[float(value) for value in values]]


@pytest.mark.parametrize("word", ["NaN", "nan", "Infinity"])
def test_a_word_for_nan_is_an_error_with_a_place(word):
    with pytest.raises(DecodeError) as caught:
        decode(f"[[1,\n  {word}]]".encode(), JSON)
    expected = f"the body is not valid JSON: {word} is not JSON, write null for a missing number: line 2, column 3"
    assert caught.value.detail == expected


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1,]", b"[1 2]", b"{'a':1}", b'"\x01"', b"[1e999]", b"01", b"[1]x", b"tru", b'{"a"}', b"\xef\xbb\xbf"],
)
def test_broken_json_is_an_error_with_line_and_column(body):
    with pytest.raises(DecodeError, match=r"not valid JSON: .*: line 1, column \d+"):
        decode(body, JSON)


def test_deep_nesting_is_an_error():
    with pytest.raises(DecodeError, match="depth limit"):
        decode(b"[" * 100_000, JSON)


@pytest.mark.parametrize("depth", [31, 33, 64, 65, 1000])
def test_nesting_beyond_numpys_dimensions_is_as_it_is(depth):
    """Not a crash; some hundred levels are within JSON's own limit."""
    value = decode(b"[" * depth + b"]" * depth, JSON)
    assert type(value) in (list, np.ndarray)


def test_what_is_not_utf8_is_told_by_its_byte():
    with pytest.raises(DecodeError, match="byte 3 is not utf-8"):
        decode(b'["\xff"]', JSON)


def test_the_charset_parameter_is_obeyed():
    assert decode('["é"]'.encode("utf-16"), "application/json; charset=UTF-16") == ["é"]


def test_a_json_suffix_is_json():
    """RFC 6839, such as application/vnd.acme+json."""
    assert decode(b'["x"]', "application/vnd.acme+json; version=1") == ["x"]


@pytest.mark.parametrize("content_type", [LINES, "application/x-ndjson", "Application/X-JSONLines"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_are_records(content_type, end, last):
    assert_rows(decode(end.join([b"[1,2]", b"[3,4]"]) + end * last, content_type), [[1, 2], [3, 4]])


def test_lines_of_objects_have_columns():
    assert_rows(decode(b'{"a":1}\n{"a":2}\n', LINES), [[1], [2]], ("a",))


def test_lines_of_texts_are_texts():
    assert decode(b'"a"\n"b"', LINES) == ["a", "b"]


@pytest.mark.parametrize("body", [b"[1]\n[2],[3]\n", b"[1]\n[2\n]", b"[1]\n1 2", b"[1]\n{bad}\n[3]"])
def test_a_broken_line_is_named(body):
    with pytest.raises(DecodeError, match="line 2, column"):
        decode(body, LINES)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@given(JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_any_json_is_data_or_422(value):
    try:
        decode(json.dumps(value).encode(), JSON)
    except UnprocessableInput:
        assert isinstance(value, (list, dict))


@given(
    st.lists(
        st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(), min_size=2, max_size=2),
        min_size=1,
    )
)
@settings(deadline=None)
def test_tables_of_numbers_hold_what_the_standard_library_reads(table):
    rows = decode(json.dumps({"instances": table}).encode(), JSON)
    expected = [[NAN if cell is None else float(cell) for cell in row] for row in table]
    np.testing.assert_array_equal(rows.values, expected)


@given(st.binary(max_size=40), st.sampled_from([JSON, LINES, "application/x-npy", "text/plain"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_data_or_a_clients_error(body, content_type):
    with contextlib.suppress(DecodeError, UnprocessableInput):
        decode(body, content_type)
