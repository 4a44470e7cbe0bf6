"""CSV of nothing but numbers, read at the speed of a JSON parser or more. Called by csv_codec, which reads the rest.

Blocks of numbers that are alike go to csv_digits, which makes no Python objects. For all others: a CSV of plain numbers
is a JSON array but for its line ends. Those become the JSON string "", so that one flat list holds all fields and shows
where each row ended; a text with strings of its own has more of them than lines, and is declined. No list per row, and
struct puts the list into an array in a third of numpy's time. Whatever JSON reads otherwise than CSV is declined too:
the result is always the one that csv_records would give.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from container.codecs import csv_digits

BLOCK_BYTES = 1 << 17
"""Text parsed at once: bounds the memory of Python's floats, and stays in the processor's cache."""

DIGITS_FROM_BYTES = 1 << 13
"""Text from which csv_digits is faster: its steps over arrays cost some 100 us together, however short these are."""

_NUMBER_OR_NULL = frozenset({int, float, type(None)})


def parse(text: bytes) -> NDArray[np.float64] | None:
    """The numbers as (rows, columns), missing fields as NaN; None where the text must be read with more care.

    Lines end with LF; the last one's end is already cut off.
    """
    width = text.count(b",", 0, _line_end(text, 0)) + 1
    parts: list[NDArray[np.float64]] = []
    for block in _blocks(text):
        part = csv_digits.parse(block, width) if len(block) >= DIGITS_FROM_BYTES else None
        if part is None:
            part = _parse_block(block, width)
        if part is None:
            return None
        parts.append(part)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _blocks(text: bytes) -> Iterator[bytes]:
    """The text in whole lines, in blocks of much the same size, some BLOCK_BYTES."""
    size = len(text) // max(round(len(text) / BLOCK_BYTES), 1)
    start = 0
    while start <= len(text):
        end = _line_end(text, start + size)
        yield text[start:end]
        start = end + 1


def _line_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


def _parse_block(text: bytes, width: int) -> NDArray[np.float64] | None:
    if b"t" in text or b"f" in text:
        return None  # struct would take JSON's true and false for 1 and 0
    flat = _loads(text)
    if flat is None and not _has_blank_line(text):
        flat = _loads(_fill_missing(text))
    if not flat:
        return None
    ends = text.count(b"\n")
    if len(flat) != (ends + 1) * (width + 1) - 1:
        return None  # ragged: csv_records says where
    if ends:
        if flat[width :: width + 1].count("") != ends:
            return None
        del flat[width :: width + 1]
    values = _array(flat)
    return None if values is None else values.reshape(-1, width)


def _loads(text: bytes) -> list[float | str | None] | None:
    try:
        return orjson.loads(b"[" + text.replace(b"\n", b',"",') + b"]")  # type: ignore[no-any-return]
    except orjson.JSONDecodeError:
        return None


def _has_blank_line(text: bytes) -> bool:
    return not text or text.startswith(b"\n") or text.endswith(b"\n") or b"\n\n" in text


def _fill_missing(text: bytes) -> bytes:
    """Empty fields and NaN as JSON's null. Replaced twice, since a field shares its commas with its neighbours."""
    fields = b"," + text.replace(b"NaN", b"null").replace(b"nan", b"null").replace(b"\n", b",\n,") + b","
    return fields.replace(b",,", b",null,").replace(b",,", b",null,").replace(b",\n,", b"\n")[1:-1]


def _array(flat: list[float | str | None]) -> NDArray[np.float64] | None:
    values = np.empty(len(flat))
    try:
        struct.pack_into(f"{len(flat)}d", values.data, 0, *flat)
    except struct.error:  # not all are numbers: numpy makes NaN of None, but would read "1" as 1
        return np.array(flat, np.float64) if _NUMBER_OR_NULL.issuperset(map(type, flat)) else None
    return values
