"""CSV of plain numbers, many at once by numpy, without a Python object for each. Called by csv_numbers.

First where the fields end is found; then the last digits of all fields are looked up together, then those before them,
and so on. Digits are added up in pairs, pairs in fours, each in the narrowest type that holds them: the adding up that
Wojciech Muła and Daniel Lemire do within a register ("Quickly parsing eight digits", 2018), across an array.

12.34 is 12 and 34, thus 1234 / 100. The quotient of a whole number below 2**53 and a power of ten up to 10**22 is the
double that float() gives: both are exact, and IEEE division rounds once. W. D. Clinger, "How to Read Floating Point
Numbers Accurately" (1990).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

MOST_DIGITS = 16
"""On one side of the dot. More do not fit into a double's 53 bits, but for zeros."""

FEWEST_ROWS = 8
"""The first is read by Python's means; that should not be most of the work."""

_SURELY_EXACT_DIGITS = 15
_FIRST_INEXACT = 2**53
_PLAIN = b"0123456789,-."
_LEAD = 2 * (MOST_DIGITS + 1)  # bytes before a text: from its first field one may look back by a dot and a number


# Operands are 0-d arrays: ufuncs take them in half the time that they need for numpy's scalars, a sixth of Python's.
def _operand(value: int, dtype: type = np.uint8) -> NDArray[Any]:
    return np.array(value, dtype)


# Exclusive or with "0" makes digits their values, and all other bytes more than nine.
_COMMA, _LINE_END, _MINUS, _DOT = (_operand(byte ^ 0x30) for byte in b",\n-.")
_ZERO, _TEN, _HUNDRED = _operand(0x30), _operand(10), _operand(100, np.uint16)
_UNITS = [_operand(10**power, np.float64) for power in (4, 8, 12)]
_ONE, _TWO = _operand(1, np.int8), _operand(2, np.int8)
_BACK = [_operand(back) for back in range(MOST_DIGITS + 2)]
_SCALES = np.array([1.0, *(10.0**digits for digits in range(MOST_DIGITS + 1))])
"""By place of the dot: so many bytes before the end of the field; 0 for none."""


class _Fields(NamedTuple):
    """A text's bytes, and its fields: each stands between the separators at before and after."""

    codes: Bytes  # the one at position 0 has the index _LEAD
    before: Positions
    after: Positions
    negative: Bytes  # 1 or 0


class _Digits(NamedTuple):
    """Neighbouring digits in each field, fewest to most of them: they end so many bytes before the positions."""

    ends: Positions
    back: int
    fewest: int
    most: int
    reach: Bytes | None  # how far back from there the byte before them is, if it varies


def parse(text: bytes, width: int) -> Floats | None:
    """The numbers as (rows, width); None unless all are plain, and alike in each column.

    Plain is an optional minus and digits, no more of them than float64 holds exactly as a whole number. Alike is no
    dot, or one with as many digits after it in all rows, and at least one before. Lines end with LF, but for the last.
    """
    places = _places(text, width)
    fields = None if places is None else _split(text, width)
    if places is None or fields is None:
        return None
    by_column = np.array(places) if places.count(places[0]) != width else None
    dots, back = fields.after, places[0]
    if by_column is not None:
        dots, back = np.subtract(dots.reshape(-1, width), by_column).ravel(), 0
    whole = _whole(fields, dots, back) if _is_plain(fields, dots, back, width - places.count(0), width) else None
    if whole is None:
        return None
    scale = _SCALES[places[0], ...] if by_column is None else _SCALES.take(by_column)
    values = _values(fields.codes, whole, _parts(fields, places), scale)
    if values is None:
        return None
    signs = np.subtract(_ONE, np.multiply(fields.negative.view(np.int8), _TWO))
    np.multiply(values, signs, values)
    return values.reshape(-1, width)


def _places(text: bytes, width: int) -> list[int] | None:
    """Where the dots of the first row are; None if it already shows that parse must decline."""
    first = text[: text.find(b"\n")]
    if first.translate(None, _PLAIN):
        return None
    places = [len(field) - field.find(b".") if b"." in field else 0 for field in first.split(b",")]
    return None if max(places) > MOST_DIGITS + 1 or len(places) != width else places


def _split(text: bytes, width: int) -> _Fields | None:
    """The fields; None if the text is ragged, or too short."""
    codes = np.empty(_LEAD + len(text) + 2, np.uint8)
    codes[: _LEAD + 1] = codes[-1] = _LINE_END
    np.bitwise_xor(np.frombuffer(text, np.uint8), _ZERO, codes[_LEAD + 1 : -1])
    line_ends = np.equal(codes[_LEAD:], _LINE_END)
    separators = np.equal(codes[_LEAD:], _COMMA)
    np.bitwise_or(separators, line_ends, separators)
    ends = separators.nonzero()[0]
    rows, rest = divmod(len(ends) - 1, width)
    if rest or rows < FEWEST_ROWS or np.count_nonzero(line_ends) != rows + 1:
        return None
    if np.count_nonzero(line_ends.take(ends[::width])) != rows + 1:
        return None
    negative = np.equal(_look_up(codes, ends[:-1], -1), _MINUS)
    return _Fields(codes, ends[:-1], ends[1:], negative.view(np.uint8))


def _is_plain(fields: _Fields, dots: Positions, back: int, dotted: int, width: int) -> bool:
    """Whether all bytes are digits, separators, signs before fields, and dots in their places, if so many columns."""
    codes = fields.codes
    found = np.count_nonzero(np.equal(_look_up(codes, dots, back), _DOT)) if dotted else 0
    others = len(codes) - _LEAD - 1 - np.count_nonzero(np.less(codes, _TEN))
    wanted = dotted * (len(dots) // width)
    return found == wanted and others == wanted + np.count_nonzero(fields.negative) + len(dots)


def _look_up(table: Bytes, positions: Positions, back: int) -> Bytes:
    found = np.empty(len(positions), np.uint8)
    return table[_LEAD - back :].take(positions, None, found, "wrap")  # none wraps, but "raise" would copy found


def _whole(fields: _Fields, dots: Positions, back: int) -> _Digits | None:
    """The digits before the dot, or the end; None if a field has none or too many."""
    span = np.subtract(dots, fields.before)
    if not 0 <= int(np.bitwise_or.reduce(span)) <= 255:
        return None
    reach = np.subtract(span.astype(np.uint8), fields.negative)
    np.subtract(reach, _BACK[back], reach)
    fewest, most = int(np.minimum.reduce(reach)) - 1, int(np.maximum.reduce(reach)) - 1
    return _Digits(dots, back, fewest, most, reach) if fewest >= 1 and most <= MOST_DIGITS else None


def _parts(fields: _Fields, places: list[int]) -> _Digits | None:
    """The digits after the dot; None if there are none."""
    fewest, most = max(min(places) - 1, 0), max(places) - 1
    if most < 1:
        return None
    reach = None
    if fewest < most:
        reach = np.tile(np.maximum(places, 1).astype(np.uint8), len(fields.after) // len(places))
    return _Digits(fields.after, 0, fewest, most, reach)


def _values(codes: Bytes, whole: _Digits, parts: _Digits | None, scale: Floats) -> Floats | None:
    """The fields without their signs; None if one has more digits than float64 holds exactly."""
    values = _number(codes, whole)
    most = whole.most
    if parts is not None:
        most += parts.most
        table = values.reshape(-1, *scale.shape)
        np.multiply(table, scale, table)
        np.add(values, _number(codes, parts), values)
    if most > _SURELY_EXACT_DIGITS and np.maximum.reduce(values) >= _FIRST_INEXACT:
        return None
    if parts is not None:
        np.divide(table, scale, table)
    return values


def _number(codes: Bytes, digits: _Digits) -> Floats:
    values = _four(codes, digits, 1)
    for unit, back in zip(_UNITS, range(5, digits.most + 1, 4), strict=False):
        np.add(values, np.multiply(_four(codes, digits, back), unit), values)
    return values


def _four(codes: Bytes, digits: _Digits, back: int) -> Floats:
    found: NDArray[Any] = _two(codes, digits, back)
    if back + 2 <= digits.most:
        hundreds = _two(codes, digits, back + 2).astype(np.uint16)
        found = np.add(np.multiply(hundreds, _HUNDRED, hundreds), found, hundreds)
    return found.astype(np.float64)


def _two(codes: Bytes, digits: _Digits, back: int) -> Bytes:
    found = _one(codes, digits, back)
    if back + 1 <= digits.most:
        tens = _one(codes, digits, back + 1)
        np.add(found, np.multiply(tens, _TEN, tens), found)
    return found


def _one(codes: Bytes, digits: _Digits, back: int) -> Bytes:
    """The digit of each number so many bytes before its end; 0 if the number is shorter."""
    found = _look_up(codes, digits.ends, digits.back + back)
    if digits.reach is not None and back > digits.fewest:
        np.multiply(found, np.less(_BACK[back], digits.reach).view(np.uint8), found)
    return found
