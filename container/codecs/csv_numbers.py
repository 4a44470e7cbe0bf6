"""CSV of nothing but numbers, read at the speed of a JSON parser. Called by csv_codec, which reads what this declines.

A CSV of plain numbers is a JSON array but for its line ends. Those become the JSON string "", which cannot occur in the
text, so that one flat list holds all fields and shows where each row ended. No list per row, and struct puts the list
into an array in a third of numpy's time. Whatever JSON reads otherwise than CSV is declined: the result is always the
one that csv_records would give.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 16
"""Text parsed at once: bounds the memory of Python's floats, and stays in the processor's cache."""


def parse(text: bytes) -> NDArray[np.float64] | None:
    """The numbers as (rows, columns), missing fields as NaN; None where the text must be read with more care.

    Lines end with LF; the last one's end is already cut off.
    """
    # JSON's words, strings, lists and objects all need one of these, but for null, which is a missing value here too
    if b'"' in text or b"[" in text or b"{" in text or b"t" in text or b"f" in text:
        return None
    width = text.count(b",", 0, _line_end(text, 0)) + 1
    parts: list[NDArray[np.float64]] = []
    for block in _blocks(text):
        part = _parse_block(block, width)
        if part is None:
            return None
        parts.append(part)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _blocks(text: bytes) -> Iterator[bytes]:
    """The text in whole lines, some BLOCK_BYTES at a time."""
    if len(text) <= BLOCK_BYTES:
        yield text
        return
    start = 0
    while start <= len(text):
        end = _line_end(text, start + BLOCK_BYTES)
        yield text[start:end]
        start = end + 1


def _line_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


def _parse_block(text: bytes, width: int) -> NDArray[np.float64] | None:
    flat = _loads(text)
    if flat is None and not _has_blank_line(text):
        flat = _loads(_fill_missing(text))
    if flat is None:
        return None
    row_ends = flat[width :: width + 1]
    if len(flat) != width + len(row_ends) * (width + 1) or row_ends.count("") != text.count(b"\n"):
        return None  # ragged: csv_records says where
    del flat[width :: width + 1]
    return _array(flat).reshape(-1, width)


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


def _array(flat: list[float | str | None]) -> NDArray[np.float64]:
    values = np.empty(len(flat))
    try:
        struct.pack_into(f"{len(flat)}d", values.data, 0, *flat)
    except struct.error:  # None among them; numpy makes NaN of it
        return np.array(flat, np.float64)
    return values
