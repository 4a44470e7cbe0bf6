"""text/csv bodies to Rows, by the fast way where it holds. Called through codecs.decode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from container.codecs import csv_numbers, csv_records, text
from container.codecs.rows import Rows
from container.media_types import MediaType

_HEADER_WORDS = ("present", "absent", "auto")
_NUMBER_STARTS = b"0123456789-,.+Nn "


def decode(body: bytes, media: MediaType, csv_header: str, feature_names: Sequence[str] | None) -> Rows:
    """Rows of a CSV body. The header parameter of RFC 4180 wins over csv_header."""
    charset = media.params.get("charset")
    header = media.params.get("header", "").lower()
    if header not in _HEADER_WORDS:
        header = csv_header
    utf8 = text.as_utf8(body, charset)
    rows = _decode_numbers(utf8, header, feature_names)
    return rows or csv_records.parse(text.decode(utf8), header, feature_names)


def _decode_numbers(utf8: bytes, header: str, feature_names: Sequence[str] | None) -> Rows | None:
    """Rows of plain numbers under an optional plain header; None where csv_records must look."""
    if b"\r" in utf8:
        utf8 = utf8.replace(b"\r\n", b"\n")
        if b"\r" in utf8:
            return None
    utf8 = utf8.rstrip(b"\n")
    numbers_first = utf8[:1] in _NUMBER_STARTS
    if header == "absent" or (header == "auto" and numbers_first and not _numeric_name(feature_names)):
        values = csv_numbers.parse(utf8) if utf8 else None
        return None if values is None else Rows(values)
    return _decode_under_header(utf8, header, feature_names)


def _decode_under_header(utf8: bytes, header: str, feature_names: Sequence[str] | None) -> Rows | None:
    first, _, rest = utf8.partition(b"\n")
    if not first or not rest or b'"' in first or not first.isascii():
        return None
    values = csv_numbers.parse(rest)
    columns = tuple(first.decode().split(","))
    if values is None or values.shape[1] != len(columns):
        return None
    if header == "auto" and not csv_records.is_header(columns, feature_names, lambda: not np.isnan(values).all()):
        return None
    return Rows(values, columns)


def _numeric_name(feature_names: Sequence[str] | None) -> bool:
    """Whether a header of the feature names may begin like a number."""
    return feature_names is not None and "".join(feature_names[:1])[:1].encode() in _NUMBER_STARTS
