"""application/x-npy: NumPy's own file format, never with pickled objects. Called through codecs.decode and encode."""

from __future__ import annotations

import io
import math
import struct
import tokenize
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from container.errors import DecodeError, NotAcceptable

_MAX_HEADER_BYTES = 10_000  # numpy's own bound for headers it has not written itself
_ENCODABLE_KINDS = "biufc"
_DECODABLE_KINDS = "biufcmMSU"
# What numpy's reader, which goes through Python's tokenizer and parser, lets out of a damaged header
_BAD_HEADER = (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError, tokenize.TokenError)


def decode(body: bytes) -> NDArray[Any]:
    """The array of an .npy file, writable. Its size is checked against the header before memory is taken."""
    length, start = _header_place(body)
    if length > _MAX_HEADER_BYTES:
        raise DecodeError(f"the npy header is {length} bytes long; at most {_MAX_HEADER_BYTES} are read")
    if len(body) < start + length:
        raise DecodeError("the npy body ends within its header")
    shape, fortran_order, dtype = _header(body[: start + length])
    wanted_bytes = math.prod(shape) * dtype.itemsize
    found_bytes = len(body) - start - length
    if wanted_bytes != found_bytes:
        raise DecodeError(f"the npy header says {wanted_bytes} bytes of data (shape {shape}), but {found_bytes} follow")
    try:
        flat = np.frombuffer(body, dtype, offset=start + length) if found_bytes else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if fortran_order else "C").copy(order="K")
    except ValueError as error:
        raise DecodeError(f"the npy header is not usable: {error}") from error


def encode(value: Any) -> bytes:
    """Numbers of any shape as .npy. Raises NotAcceptable (406) for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise NotAcceptable(f"the answer is not a regular array, which x-npy needs ({error}); ask for JSON") from error
    if array.dtype.kind not in _ENCODABLE_KINDS:
        raise NotAcceptable("the answer is not numbers only, which x-npy needs; ask for application/json")
    out = io.BytesIO()
    npy.write_array(out, array, allow_pickle=False)
    return out.getvalue()


def _header_place(body: bytes) -> tuple[int, int]:
    """The header's length in bytes and where it starts."""
    if not body.startswith(npy.MAGIC_PREFIX) or len(body) < 12:
        raise DecodeError("the body is not an npy file; write it with numpy.save")
    if body[6] == 1:
        return struct.unpack_from("<H", body, 8)[0], 10
    if body[6] in (2, 3):
        return struct.unpack_from("<I", body, 8)[0], 12
    raise DecodeError(f"npy version {body[6]}.{body[7]} is not supported; use 1.0, 2.0 or 3.0")


@lru_cache(64)  # clients send few shapes, and numpy takes some 30 us to read a header
def _header(prefix: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(prefix)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read(file, max_header_size=_MAX_HEADER_BYTES)
    except _BAD_HEADER as error:
        raise DecodeError(f"the npy header cannot be read: {error}") from error
    if dtype.hasobject:
        raise DecodeError("npy arrays of Python objects are never read, since they need pickle; send numbers or text")
    if dtype.kind not in _DECODABLE_KINDS or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise DecodeError(f"npy arrays of type {dtype} and shape {shape} are not supported; send numbers or text")
    return shape, fortran_order, dtype
