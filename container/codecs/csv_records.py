"""CSV of any kind: records by RFC 4180, header by rule, columns of numbers or text. Called by csv_codec.

Slower than csv_numbers and never wrong: it alone defines what a CSV body means, and words every error.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from container.codecs.rows import Rows, from_columns
from container.errors import DecodeError

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null"})
QUOTE_LIMIT_CHARS = 40  # of an offending field, in an error

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default of 131,072 characters refuses long texts


def parse(text: str, header: str, feature_names: Sequence[str] | None) -> Rows:
    """Rows of a CSV text. Blank lines are no records. header: present, absent or auto.

    A column is numbers if at least half of its values are; another value in it is a DecodeError (400). Else it is text.
    """
    lines = _records(text)
    records = [record for record in lines if record]
    if not records:
        raise DecodeError("the CSV body has no records")
    columns = tuple(records[0]) if _has_header(records, header, feature_names) else None
    _check_widths(lines, len(records[0]))
    table = _Table(lines, columns)
    rows = records[1:] if columns else records
    values = [table.column(index, fields) for index, fields in enumerate(zip(*rows, strict=True))]
    return Rows(from_columns(values, len(rows)) if rows else np.empty((0, len(records[0]))), columns)


def is_header(names: Sequence[str], feature_names: Sequence[str] | None, numbers_follow: Callable[[], bool]) -> bool:
    """The auto rule: the feature names, or words only with numbers in all later records.

    In all of them, so that of a batch of texts the first is not lost because one of the others is a number.
    """
    if feature_names is not None and list(names) == list(feature_names):
        return True
    words = [name for name in names if name.strip() not in MISSING]
    return bool(words) and not any(_is_number(word) for word in words) and numbers_follow()


class _Table:
    """Turns columns of text into numbers; knows where each record was, for errors."""

    def __init__(self, lines: list[list[str]], names: tuple[str, ...] | None) -> None:
        self.lines = lines
        self.names = names

    def column(self, index: int, fields: tuple[str, ...]) -> NDArray[np.float64] | NDArray[np.object_]:
        numbers = [_number(field) for field in fields]
        if None not in numbers:
            return np.array(numbers, np.float64)
        words = numbers.count(None)
        values = len(numbers) - sum(number is not None and math.isnan(number) for number in numbers)
        if words * 2 > values:
            pairs = zip(fields, numbers, strict=True)
            return np.array([field if number is None or number == number else None for field, number in pairs], object)
        raise self._not_a_number(index, fields, numbers.index(None))

    def _not_a_number(self, index: int, fields: tuple[str, ...], position: int) -> DecodeError:
        places = [number for number, record in enumerate(self.lines, 1) if record][self.names is not None :]
        column = f"column {index + 1}" + (f" ({_cut(self.names[index])})" if self.names else "")
        return DecodeError(f"row {places[position]}, {column}: {_cut(fields[position])} is not a number")


def _records(text: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        raise DecodeError(f"line {reader.line_num} of the CSV body: {error}; quote fields as RFC 4180 says") from error


def _has_header(records: list[list[str]], header: str, feature_names: Sequence[str] | None) -> bool:
    if header != "auto":
        return header == "present"
    return is_header(records[0], feature_names, lambda: _all_have_numbers(records[1:]))


def _all_have_numbers(records: list[list[str]]) -> bool:
    """Whether each record has a number or a missing value, and one has a number."""
    found = False
    for record in records:
        numbers = [number for number in map(_number, record) if number is not None]
        if not numbers:
            return False
        found = found or not all(map(math.isnan, numbers))
    return found


def _check_widths(lines: list[list[str]], width: int) -> None:
    for number, record in enumerate(lines, 1):
        if record and len(record) != width:
            place = f"row {number}, column {min(len(record), width) + 1}"
            fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
            raise DecodeError(f"{place}: the row has {fields}, but the first row has {width}")


def _number(field: str) -> float | None:
    """The field as a number, NaN if missing, None if it is neither."""
    if field[:1].isalpha() and field[0] not in "nNiI":
        return None  # a quarter of the time that float's ValueError takes; na, null, nan and inf go on
    try:
        number = float(field)
    except ValueError:
        return math.nan if field.strip() in MISSING else None
    # Python's float also reads 1_000 and digits of other scripts, which no CSV writer means as numbers
    return number if "_" not in field and field.isascii() else None


def _is_number(field: str) -> bool:
    number = _number(field)
    return number is not None and not math.isnan(number)


def _cut(text: str) -> str:
    return repr(text if len(text) <= QUOTE_LIMIT_CHARS else text[: QUOTE_LIMIT_CHARS - 1] + "…")
