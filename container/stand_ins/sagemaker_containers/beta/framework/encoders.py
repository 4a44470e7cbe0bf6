"""Arrays to bodies and back, by media type."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from container.codecs import npy_codec
from container.errors import DecodeError

from . import content_types, errors


def encode(array_like: Any, content_type: str) -> Any:
    """str for JSON and CSV, bytes for npy. Raises UnsupportedFormatError."""
    if content_type not in ENCODERS:
        raise errors.UnsupportedFormatError(content_type, status=406)
    return ENCODERS[content_type](array_like)


def decode(obj: Any, content_type: str) -> NDArray[Any]:
    """Raises UnsupportedFormatError, ClientError."""
    if content_type not in DECODERS:
        raise errors.UnsupportedFormatError(content_type)
    return DECODERS[content_type](obj)


def array_to_npy(array_like: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array_like, allow_pickle=False)
    return buffer.getvalue()


def npy_to_numpy(npy_array: bytes) -> NDArray[Any]:
    """Raises ClientError, for pickled objects too: they could run anything."""
    try:
        return npy_codec.decode(npy_array)
    except DecodeError as error:
        raise errors.ClientError(str(error)) from error


def array_to_json(array_like: Any) -> str:
    return json.dumps(array_like, default=lambda value: value.tolist())


def json_to_numpy(string_like: str, dtype: Any = None) -> NDArray[Any]:
    """Raises ClientError."""
    try:
        return np.array(json.loads(string_like), dtype=dtype)
    except ValueError as error:
        raise errors.ClientError(f"The body is not JSON of one shape: {error}") from error


def array_to_csv(array_like: Any) -> str:
    """A list of values is a column."""
    array = np.array(array_like)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(array.reshape(-1, 1) if array.ndim == 1 else array)
    return text.getvalue()


def csv_to_numpy(string_like: str, dtype: Any = None) -> NDArray[Any]:
    """Numbers; texts where some are none and no dtype is asked for. One row is an array of one dimension.

    Raises ClientError.
    """
    try:
        array = np.array(list(csv.reader(io.StringIO(string_like), strict=True))).squeeze()
    except (csv.Error, ValueError) as error:
        raise errors.ClientError(f"The body is not CSV of one width: {error}") from error
    try:
        return array.astype(dtype)
    except ValueError as error:
        if dtype is None:
            return array
        raise errors.ClientError(f"The body is not CSV of {dtype}: {error}") from error


ENCODERS: dict[str, Callable[[Any], Any]] = {
    content_types.NPY: array_to_npy,
    content_types.CSV: array_to_csv,
    content_types.JSON: array_to_json,
}
DECODERS: dict[str, Callable[[Any], NDArray[Any]]] = {
    content_types.NPY: npy_to_numpy,
    content_types.CSV: csv_to_numpy,
    content_types.JSON: json_to_numpy,
}
