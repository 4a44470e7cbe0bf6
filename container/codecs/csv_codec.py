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
    utf8 = text.as_utf8(body, media.params.get("charset"))
    header = media.params.get("header", csv_header).lower()
    if header not in _HEADER_WORDS:
        header = csv_header
    rows = _decode_numbers(utf8, header, feature_names)
    return csv_records.parse(text.decode(utf8), header, feature_names) if rows is None else rows


def _decode_numbers(utf8: bytes, header: str, feature_names: Sequence[str] | None) -> Rows | None:
    """Rows of plain numbers under an optional plain header; None where csv_records must look."""
    if b"\r" in utf8:
        utf8 = utf8.replace(b"\r\n", b"\n")
        if b"\r" in utf8:
            return None
    utf8 = utf8.rstrip(b"\n")
    if header == "present" or (header == "auto" and _may_be_header(utf8, feature_names)):
        return _decode_under_header(utf8, header, feature_names)
    values = csv_numbers.parse(utf8)
    return None if values is None else Rows(values)


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


def _may_be_header(utf8: bytes, feature_names: Sequence[str] | None) -> bool:
    """Whether the first line begins like a word, or like the feature names."""
    return utf8[:1] not in _NUMBER_STARTS or (
        feature_names is not None and len(feature_names) > 0 and utf8.startswith(feature_names[0].encode())
    )
