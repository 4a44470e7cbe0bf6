"""application/json and application/jsonlines bodies to values. Called through codecs.decode; uses json_tables."""

from __future__ import annotations

import re
from typing import Any

import orjson

from container.codecs import text
from container.codecs.json_tables import from_list, from_split
from container.errors import DecodeError
from container.media_types import MediaType

_NAN_WORD = re.compile(r"[+-]?(nan|inf(inity)?)\b", re.IGNORECASE)


def decode(body: bytes, media: MediaType) -> Any:
    """Rows, an array, or the JSON value as it is: see json_tables.

    Unwraps {"instances": [...]}, {"inputs": [...]}, {"dataframe_records": [...]} and {"dataframe_split": {...}}.
    """
    utf8 = text.as_utf8(body, media.params.get("charset"))
    value = loads(utf8)
    if type(value) is list:
        return from_list(value, has_text=b'"' in utf8)
    if type(value) is dict and len(value) == 1:
        [(key, content)] = value.items()
        if key in ("instances", "inputs", "dataframe_records") and type(content) is list:
            return from_list(content, has_text=utf8.count(b'"') > 2)
        if key == "dataframe_split" and type(content) is dict:
            return from_split(content)
    return value


def decode_lines(body: bytes, media: MediaType) -> Any:
    """As a JSON list of the lines. Blank lines are no records."""
    utf8 = text.as_utf8(body, media.params.get("charset"))
    lines = enumerate(utf8.split(b"\n"), 1)
    values = [loads(line, number) for number, line in lines if line and not line.isspace()]
    return from_list(values, has_text=b'"' in utf8)


def loads(utf8: bytes, first_line: int = 1) -> Any:
    """Any JSON value as it is. Raises DecodeError naming line and column."""
    try:
        return orjson.loads(utf8)
    except orjson.JSONDecodeError as error:
        text.decode(utf8)  # a body that is not UTF-8 is told so
        raise DecodeError(_explain(error, first_line)) from error


def _explain(error: orjson.JSONDecodeError, first_line: int) -> str:
    word = _NAN_WORD.match(error.doc, error.pos)
    reason = f"{word[0]} is not JSON, write null for a missing number" if word else error.msg
    return f"the body is not valid JSON: {reason}: line {error.lineno + first_line - 1}, column {error.colno}"
