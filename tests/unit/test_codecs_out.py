"""Answers as bytes: every kind of value a model returns, one policy for NaN, and back again unchanged."""

from __future__ import annotations

import csv
import dataclasses
import enum
import io
import json
import subprocess
import sys
import uuid
from collections import namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import orjson
import pandas as pd
import pytest
import scipy.sparse
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from container.codecs import ENCODABLE, decode, encode
from container.errors import NotAcceptable, ServingError

JSON = "application/json"
LINES = "application/jsonlines"
CSV = "text/csv"
NAN, INF = float("nan"), float("inf")


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    y: np.float32


Pair = namedtuple("Pair", "a b")

VALUES = [
    (np.array([1.5, 2.0]), [1.5, 2.0]),
    (np.array([[1, 2]], np.int8), [[1, 2]]),
    (np.float32([0.1, 16777216.0, 1e-7]), [0.1, 16777216.0, 1e-7]),
    (np.float32(0.1), 0.1),
    (np.float16(0.1), 0.099975586),
    (np.array([0.1], np.float16), [0.099975586]),
    (np.datetime64("2020-01-02T03:04:05.000000006"), "2020-01-02T03:04:05"),
    (np.array([0.1, 0.2, 0.3], np.float32)[::2], [0.1, 0.3]),
    (np.array([1.5, 2.5], ">f8"), [1.5, 2.5]),
    (np.array([0.5], np.longdouble), [0.5]),
    (np.float64(2.5), 2.5),
    (np.int64(7), 7),
    (np.bool_(True), True),
    (np.array([True, False]), [True, False]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array(["a", None, np.float32(0.1)], object), ["a", None, 0.1]),
    (np.array(5), 5),
    (np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]),
    (np.empty((0, 3)), []),
    (np.array(["2020-01-02"], "M8[D]"), ["2020-01-02T00:00:00"]),
    ({"a": np.float32([0.1])}, {"a": [0.1]}),
    ({0: 0.25, np.int64(1): 0.75, None: 1, True: 2}, {"0": 0.25, "1": 2, "null": 1}),
    ({Color.RED: Color.RED}, {"red": "red"}),
    (Point(1.0, np.float32(0.1)), {"x": 1.0, "y": 0.1}),
    (Pair(1, "b"), [1, "b"]),
    ((1, (2, "x")), [1, [2, "x"]]),
    ({1}, [1]),
    ({"k": {"a": 1}.keys()}, {"k": ["a"]}),
    (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "2020-01-02T03:04:05+00:00"),
    (date(2020, 1, 2), "2020-01-02"),
    (timedelta(seconds=1.5), 1.5),
    (Decimal("1.50"), 1.5),
    (Decimal("10"), 10),
    (b"\x00\xff", "AP8="),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (2**70, 2**70),
    ("lone \ud800", "lone \ud800"),
    ("é ☃ \x00", "é ☃ \x00"),
    (None, None),
    (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
    (pd.Series([1, 2]), [1, 2]),
    (pd.Series([1, None], dtype="Int64"), [1, None]),
    (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
    (pd.Index(["a"]), ["a"]),
    ([pd.Timestamp("2020-01-02"), pd.NaT, pd.NA], ["2020-01-02T00:00:00", None, None]),
    (scipy.sparse.csr_matrix([[0.0, 1.0]]), [[0.0, 1.0]]),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("nan", ["null", "string", "error"])
def test_every_kind_of_value_is_json_whatever_the_policy(value, expected, nan):
    """The three policies take different ways through the code and must write the same."""
    if nan == "string" and isinstance(expected, list) and isinstance(value, pd.DataFrame):
        expected = [{"a": 1, "b": "x"}, {"a": 2, "b": "NaN"}]  # pandas makes NaN of a missing text
    if nan == "error" and isinstance(value, pd.DataFrame):
        value, expected = value[["a"]], [{"a": 1}, {"a": 2}]
    assert json.loads(encode(value, JSON, nan=nan)) == expected


def test_a_value_that_no_codec_knows_is_named():
    with pytest.raises(TypeError, match=r"type .*object.*; convert it in output_fn"):
        encode({"a": object()}, JSON)


def test_an_iterator_is_its_items():
    """spaCy's nlp.pipe returns one."""
    assert encode((n for n in [1, 2**70]), JSON) == f"[1,{2**70}]".encode()
    assert encode(iter([1, 2]), LINES) == b"1\n2"
    assert encode(iter([1, 2]), CSV) == b"1\n2"


def test_an_iterator_within_is_refused_rather_than_half_read():
    with pytest.raises(TypeError, match="generator"):
        encode({"a": (n for n in [1])}, JSON)


@pytest.fixture(scope="module")
def doc():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "Seattle"}])
    doc = nlp("I live in Seattle.")
    doc.cats = {"travel": 0.5}
    return doc


ENTITY = {"text": "Seattle", "label": "GPE", "start": 10, "end": 17}


def test_a_spacy_doc_is_its_text_entities_and_categories(doc):
    expected = {"text": "I live in Seattle.", "ents": [ENTITY], "cats": {"travel": 0.5}}
    assert json.loads(encode(doc, JSON)) == expected
    assert json.loads(encode([doc, doc], JSON, nan="string")) == [expected, expected]
    assert [json.loads(line) for line in encode([doc, doc], LINES).split(b"\n")] == [expected, expected]


def test_spacy_entities_and_tokens_are_values(doc):
    assert json.loads(encode(doc.ents, JSON)) == [ENTITY]
    assert json.loads(encode(list(doc)[:2], JSON)) == ["I", "live"]


def test_pandas_and_spacy_are_never_imported():
    code = (
        "import sys; from container import codecs\n"
        "for media_type in codecs.ENCODABLE[:3]: codecs.encode([[1.0, float('nan')]], media_type)\n"
        "assert not {'pandas', 'spacy', 'scipy', 'sklearn', 'flask'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NAN_VALUES = [
    [[1.0, NAN], [INF, -INF]],
    np.array([[1.0, NAN], [INF, -INF]]),
    np.array([[1.0, NAN], [INF, -INF]], np.float32),
    [np.array([1.0, NAN]), (np.float32(INF), -np.float64(INF))],
    pd.DataFrame([[1.0, NAN], [INF, -INF]]).to_numpy(),
    np.array([[1.0, NAN], [INF, -INF]], object),
    [[Decimal(1), Decimal("NaN")], [Decimal("Infinity"), Decimal("-Infinity")]],
]


@pytest.mark.parametrize("value", NAN_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("nan", "expected"),
    [("null", [[1, None], [None, None]]), ("string", [[1, "NaN"], ["Infinity", "-Infinity"]])],
)
def test_nan_follows_one_policy_in_json_and_lines(value, nan, expected):
    assert json.loads(encode(value, JSON, nan=nan)) == expected
    assert [json.loads(line) for line in encode(value, LINES, nan=nan).split(b"\n")] == expected


@pytest.mark.parametrize("value", NAN_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("media_type", [JSON, LINES])
def test_nan_is_an_error_by_setting(value, media_type):
    with pytest.raises(ServingError, match="the answer holds NaN") as caught:
        encode(value, media_type, nan="error")
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), ["[1.0,2.0]", "[3.0,4.0]"]),
        (np.array([[1.0], [2.0]]), ["[1.0]", "[2.0]"]),
        (np.array([1, 2]), ["1", "2"]),
        (np.array([[[1]], [[2]]]), ["[[1]]", "[[2]]"]),
        (["a\nb", "],["], ['"a\\nb"', '"],["']),
        ([{"a": 1}, {"a": 2}], ['{"a":1}', '{"a":2}']),
        ({"a": [1, 2]}, ['{"a":[1,2]}']),
        (pd.DataFrame({"a": [1, 2]}), ['{"a":1}', '{"a":2}']),
        (pd.Series([1.5, 2.5]), ["1.5", "2.5"]),
        ("text", ['"text"']),
        (np.float32(0.1), ["0.1"]),
        (np.empty((2, 0)), ["[]", "[]"]),
    ],
)
def test_json_lines_are_one_record_a_line(value, lines):
    assert encode(value, LINES).decode().split("\n") == lines


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (np.array([[1.0, 2.5], [3.0, 1e-7]]), ["1.0,2.5", "3.0,1e-7"]),
        (np.array([1, 2]), ["1", "2"]),
        (np.float32([0.1, 0.2]), ["0.1", "0.2"]),
        (np.float32([0.1, NAN]), ["0.1", "NaN"]),
        (np.array([INF, -INF, NAN]), ["inf", "-inf", "NaN"]),
        (np.array([[1, 2], [3, 4]]).T, ["1,3", "2,4"]),
        (np.array(["a,b", 'say "x"', "plain"]), ['"a,b"', '"say ""x"""', "plain"]),
        (["line\nend", "cr\r"], ['"line', 'end"', '"cr\r"']),
        ([["a", 1, True, None]], ["a,1,true,"]),
        ([{"label": "x", "score": 0.5}], ["x,0.5"]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), ["1,x", "2,y"]),
        ([None, 1], ['""', "1"]),
        (3.5, ["3.5"]),
        ("text", ["text"]),
        ({"label": "x", "score": 0.5}, ["x,0.5"]),
    ],
)  # fmt: skip
def test_csv_is_one_record_a_line(value, lines):
    assert encode(value, CSV).decode().split("\n") == lines


@pytest.mark.parametrize("value", [[[[1]]], [{"a": {"b": 1}}], np.zeros((1, 1, 1)), {"a": [1]}])
def test_nested_values_have_no_place_in_csv(value):
    with pytest.raises(NotAcceptable, match="application/json"):
        encode(value, CSV)


@pytest.mark.parametrize("media_type", [LINES, CSV])
@pytest.mark.parametrize("value", [[], np.empty(0), np.empty((0, 2))], ids=str)
def test_no_records_are_no_bytes(media_type, value):
    assert encode(value, media_type) == b""


def test_media_types_are_read_as_such():
    assert encode([1], "Application/JSON; charset=utf-8") == b"[1]"


def test_an_unknown_type_is_not_acceptable_naming_the_known():
    with pytest.raises(NotAcceptable) as caught:
        encode([1], "image/png")
    assert all(known in caught.value.detail for known in ENCODABLE)


def test_json_is_preferred():
    assert ENCODABLE[0] == JSON


TABLES = arrays.arrays(
    st.sampled_from([np.float64, np.float32]), arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)
)
FINITE_TABLES = TABLES.filter(lambda table: np.isfinite(table).all())


def shortest(table: np.ndarray) -> np.ndarray:
    """What a float32 is in decimal, as float64."""
    return table.astype(str).astype(np.float64)


@given(FINITE_TABLES)
@settings(deadline=None)
@pytest.mark.parametrize("media_type", [JSON, LINES, CSV])
def test_finite_tables_come_back_to_the_bit(media_type, table):
    back = decode(encode(table, media_type), media_type, csv_header="absent").values
    np.testing.assert_array_equal(back, shortest(table))
    np.testing.assert_array_equal(back.astype(table.dtype), table)


@given(TABLES)
@settings(deadline=None)
def test_tables_with_nan_and_infinities_come_back_from_csv(table):
    back = decode(encode(table, CSV), CSV, csv_header="absent").values
    np.testing.assert_array_equal(back.astype(table.dtype), table)


@given(TABLES)
@settings(deadline=None)
def test_json_lines_are_the_rows_of_json(table):
    lines = encode(table, LINES).split(b"\n")
    assert [orjson.loads(line) for line in lines] == orjson.loads(encode(table, JSON))


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda text: text.strip() == text and not text.startswith("\ufeff")
)
WORDS = TEXTS.filter(lambda text: text not in {"NA", "N/A", "NaN", "nan", "NULL", "null"} and not is_number(text))


def is_number(text: str) -> bool:
    try:
        return bool(float(text)) or True
    except ValueError:
        return False


@given(st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=1))
@settings(deadline=None)
@pytest.mark.parametrize("media_type", [JSON, LINES, CSV])
def test_tables_of_text_come_back(media_type, table):
    assert decode(encode(table, media_type), media_type, csv_header="absent").values.tolist() == table


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=3), min_size=1))
@settings(deadline=None)
def test_csv_of_text_is_what_the_standard_library_reads(table):
    text = encode(table, CSV).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == table


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
@settings(deadline=None)
@pytest.mark.parametrize("media_type", [JSON, LINES])
def test_texts_come_back_from_json(media_type, texts):
    assert decode(encode(texts, media_type), media_type) == texts
