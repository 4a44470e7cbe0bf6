"""Values to text/csv: one record a line, text quoted by RFC 4180. Called through codecs.encode."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from container.codecs.plain import convert, keep, plain, records_of
from container.errors import NotAcceptable

_NEEDS_QUOTES = re.compile(r'[",\r\n]').search


def encode(value: Any) -> bytes:
    """Records joined by LF, none after the last: SageMaker's AssembleWith=Line adds one itself.

    The items of an array, list or table are the records; any other value is one record. No header. NaN is written NaN,
    a missing value as an empty field. Raises NotAcceptable (406) for values with no place in a table.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and 1 <= value.ndim <= 2 and value.size:
        text = orjson.dumps(value, convert, orjson.OPT_SERIALIZE_NUMPY)
        if b"null" not in text:  # null is NaN or an infinity, which CSV can tell apart
            return text[1:-1].replace(b",", b"\n") if value.ndim == 1 else text[2:-2].replace(b"],[", b"\n")
    records = records_of(value)
    return "\n".join(_record(plain(record, keep)) for record in ([value] if records is None else records)).encode()


def _record(record: Any) -> str:
    cells = list(record.values()) if isinstance(record, Mapping) else record if isinstance(record, list) else [record]
    fields = [_field(cell) for cell in cells]
    return '""' if fields == [""] else ",".join(fields)  # an empty line would be no record


def _field(cell: Any) -> str:
    if isinstance(cell, str):
        return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES(cell) else cell
    if cell is None:
        return ""
    if isinstance(cell, float):
        return "NaN" if math.isnan(cell) else repr(cell)
    if isinstance(cell, int):
        return str(cell).lower()
    raise NotAcceptable("the answer has nested values, which CSV has no place for; ask for application/json")
