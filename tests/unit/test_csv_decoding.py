"""What a CSV body means: records, headers, numbers, text, missing values, and errors that name the place."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from container.codecs import Rows, decode
from container.errors import DecodeError, UnsupportedMediaType

NAN = float("nan")


def csv(body: bytes | str, content_type: str = "text/csv", **options) -> Rows:
    return decode(body.encode() if isinstance(body, str) else body, content_type, **options)


def assert_rows(rows: Rows, values: list, columns: tuple[str, ...] | None = None):
    assert rows.columns == columns
    np.testing.assert_array_equal(rows.values, np.array(values, rows.values.dtype))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_end_gives_the_same_rows(end, last):
    assert_rows(csv(end.join(["1,2", "3,4"]) + end * last), [[1, 2], [3, 4]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_gives_the_same_rows_of_text(end):
    assert_rows(csv(end.join(['"a",1', "b,2"]) + end), [["a", 1.0], ["b", 2.0]])


def test_one_number_is_one_row():
    assert_rows(csv("7"), [[7]])


def test_numbers_are_float64_and_writable():
    values = csv("1,2\n3,4").values
    assert values.dtype == np.float64
    assert values.flags.writeable


@pytest.mark.parametrize("field", ["+1", "1.", "01", " 1 ", "1e0", "1E+0", '"1"', "\t1", "0.1e1"])
def test_every_way_to_write_one_is_one(field):
    assert_rows(csv(f"{field},2\n3,4"), [[1, 2], [3, 4]])


@pytest.mark.parametrize("field", ["inf", "Infinity", "1e999"])
def test_infinity_is_a_number(field):
    assert_rows(csv(f"{field},-{field}\n1,2"), [[np.inf, -np.inf], [1, 2]])


@pytest.mark.parametrize("field", ["", " ", "NA", "N/A", "NaN", "nan", "NULL", "null", '""'])
def test_a_missing_number_is_nan(field):
    assert_rows(csv(f"{field},1\n2,{field}\n3,4"), [[NAN, 1], [2, NAN], [3, 4]])


def test_a_missing_text_is_none():
    assert csv("a,1\n,2\nNA,3\nb,4").values[:, 0].tolist() == ["a", None, None, "b"]


def test_a_column_of_missing_values_is_numbers():
    assert_rows(csv("1,\n2,\n"), [[1, NAN], [2, NAN]])


def test_quoted_fields_keep_commas_line_ends_and_quotes():
    """RFC 4180, 2.6 and 2.7."""
    assert csv('"a,b",1\n"c\r\nd",2\n"say ""hi""",3').values[:, 0].tolist() == ["a,b", "c\r\nd", 'say "hi"']


def test_text_columns_stand_beside_numbers():
    values = csv("1.5,setosa\n2.5,virginica").values
    assert values.dtype == object
    assert values.tolist() == [[1.5, "setosa"], [2.5, "virginica"]]


def test_a_number_among_texts_is_text():
    """A batch of texts must not fail because one of them is a year."""
    assert csv("first\nsecond\n2024\n").values.tolist() == [["first"], ["second"], ["2024"]]


@pytest.mark.parametrize("field", ["1_0", "٣", "0x10", "1;5", "true", "[1]", "-", "1 2", "--1"])
def test_what_is_no_number_among_numbers_is_an_error(field):
    with pytest.raises(DecodeError, match=r"row 2, column 2: .* is not a number"):
        csv(f"1,2\n3,{field}\n5,6")


def test_a_bad_number_is_named_by_row_column_and_name():
    with pytest.raises(DecodeError) as caught:
        csv("a,b\n1,2\n3,4\n5,6x\n")
    assert caught.value.detail == "row 4, column 2 ('b'): '6x' is not a number"


def test_the_offending_text_is_cut_to_40_characters():
    with pytest.raises(DecodeError) as caught:
        csv("1,2\n3," + "x" * 1000)
    assert caught.value.detail == f"row 2, column 2: '{'x' * 39}…' is not a number"


@pytest.mark.parametrize("body", ["1,2\n3\n5,6", "a,b\n1\n", "1,2\n\n3\n"])
def test_a_short_row_is_named(body):
    with pytest.raises(DecodeError, match=r"row [23], column 2: the row has 1 field, but the first row has 2"):
        csv(body)


@pytest.mark.parametrize("body", ["1,2\n3,4,5\n", "1,2\n3,4,\n", '"a",2\n3,4,5'])
def test_a_long_row_is_named(body):
    with pytest.raises(DecodeError, match=r"row 2, column 3: the row has 3 fields, but the first row has 2"):
        csv(body)


def test_a_row_cut_in_two_is_an_error():
    """As many fields as in two good rows, but not in the right lines."""
    with pytest.raises(DecodeError, match=r"row 2, column 2"):
        csv("1,2,3\n4\n5,6")


def test_blank_lines_are_no_records():
    """As pandas has it; a last blank line must not count either."""
    assert_rows(csv("\n1,2\n\n3,4\n\n"), [[1, 2], [3, 4]])


@pytest.mark.parametrize("body", ["", "\n", " \r\n ", "\ufeff"])
def test_an_empty_body_is_an_error(body):
    with pytest.raises(DecodeError):
        csv(body)


@pytest.mark.parametrize("body", ['"a', 'a,b\n"c\nd', '"a"b,1'])
def test_broken_quotes_are_an_error_with_a_line(body):
    with pytest.raises(DecodeError, match=r"line [123] of the CSV body"):
        csv(body)


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    assert_rows(csv("\ufeff1,2\n"), [[1, 2]])
    assert csv("\ufeffa,b\n1,2\n").columns == ("a", "b")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-16", "iso-8859-1", "windows-1252", '"latin-1"'])
def test_the_charset_parameter_is_obeyed(charset):
    body = "Zürich,1\n".encode(charset.strip('"'))
    assert csv(body, f"text/csv; charset={charset}").values.tolist() == [["Zürich", 1.0]]


@pytest.mark.parametrize("charset", ["klingon", "hex", "idna", "a\0b"])
def test_an_unknown_charset_is_415(charset):
    with pytest.raises(UnsupportedMediaType, match="charset"):
        csv("1,2", f"text/csv; charset={charset}")


def test_what_is_not_utf8_is_told_by_its_byte():
    with pytest.raises(DecodeError, match="byte 3 is not utf-8"):
        csv(b"a,\xff\n")


def test_no_header_is_the_default_for_numbers():
    assert csv("1,2\n3,4").columns is None


def test_words_above_numbers_are_a_header():
    assert_rows(csv("a,b\n1,2\n"), [[1, 2]], ("a", "b"))


def test_words_above_text_and_numbers_are_a_header():
    assert csv("name,age\nbob,12\nal,\n").columns == ("name", "age")


def test_words_above_words_are_data():
    assert csv("a,b\nc,d\n").values.tolist() == [["a", "b"], ["c", "d"]]


def test_a_first_record_with_a_number_is_data():
    assert csv("a,1\nb,2\n").columns is None


def test_missing_values_above_numbers_are_data():
    """A first row of NaN must not be lost as if it were names."""
    assert_rows(csv("NaN,NA\n1,2\n"), [[NAN, NAN], [1, 2]])


def test_an_unnamed_index_column_does_not_hide_a_header():
    """pandas' to_csv writes its index under an empty name."""
    assert csv(",a\n0,1\n").columns == ("", "a")


@pytest.mark.parametrize("names", [("a", "b"), ("0", "1"), ("1.5", "b"), ["a", "b"]])
def test_the_feature_names_are_a_header(names):
    assert csv(",".join(names) + "\nx,y\n", feature_names=names).columns == tuple(names)


def test_numbers_that_are_feature_names_are_a_header():
    """pandas frames without names have columns 0, 1, 2."""
    assert_rows(csv("0,1\n5,6\n", feature_names=("0", "1")), [[5, 6]], ("0", "1"))


def test_numbers_that_are_no_feature_names_are_data():
    assert_rows(csv("0,2\n5,6\n", feature_names=("0", "1")), [[0, 2], [5, 6]])


def test_a_header_alone_is_no_rows():
    rows = csv("a,b\n", feature_names=("a", "b"))
    assert (rows.values.shape, rows.columns) == ((0, 2), ("a", "b"))


def test_the_setting_says_present():
    assert_rows(csv("1,2\n3,4", csv_header="present"), [[3, 4]], ("1", "2"))


def test_the_setting_says_absent():
    assert csv("a,b\nc,d\n1,e", csv_header="absent").columns is None


def test_the_header_parameter_wins_over_the_setting():
    """RFC 4180, 3: header is present or absent."""
    assert csv("1,2\n3,4", "text/csv; header=present", csv_header="absent").columns == ("1", "2")
    assert csv("a,b\nc,d", "text/csv; header=Absent", csv_header="present").columns is None


def test_an_unknown_header_parameter_leaves_the_setting():
    assert csv("1,2\n3,4", "text/csv; header=maybe", csv_header="present").columns == ("1", "2")


def test_quoted_names_may_hold_commas():
    assert csv('"a,1",b\n1,2\n').columns == ("a,1", "b")


def test_a_field_may_be_longer_than_the_csv_modules_limit():
    """One text of a spaCy request is often more than 131,072 characters."""
    text = "word " * 100_000
    assert csv(f'"{text}"\n').values.tolist() == [[text]]


@pytest.mark.parametrize("form", ["{:.6f}", "{!r}", "{:.18e}", "{:.0f}", "{:.3g}"])
def test_numbers_equal_those_of_pandas(form):
    values = np.random.default_rng(1).normal(size=(200, 7)) * 10.0 ** np.arange(-3, 4)
    body = "\n".join(",".join(form.format(float(value)) for value in row) for row in values).encode()
    expected = pd.read_csv(io.BytesIO(body), header=None).to_numpy(np.float64)
    np.testing.assert_array_equal(csv(body).values, expected)


def test_a_body_of_many_blocks_is_one_table():
    values = np.random.default_rng(2).normal(size=(20_000, 5))
    body = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    np.testing.assert_array_equal(csv(body).values, values)


@pytest.mark.parametrize("line", ["1,2", "1,2,3,4", ""])
def test_a_ragged_row_in_a_late_block_is_found(line):
    body = "1,2,3\n" * 30_000 + line + "\n" + "4,5,6\n" * 3
    if not line:
        assert len(csv(body).values) == 30_003
        return
    with pytest.raises(DecodeError, match="row 30001"):
        csv(body)
