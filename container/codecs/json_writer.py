"""Values to application/json and application/jsonlines. Called through codecs.encode.

orjson writes what it knows (numpy too, float32 in its shortest form); plain.convert turns the rest into that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from container.codecs.plain import NonFinite, convert, plain, records_of
from container.errors import ServingError


def encode(value: Any, nan: str) -> bytes:
    """The value itself as JSON, unwrapped. nan: what stands for NaN and infinities, null, string or error (500)."""
    if isinstance(value, Iterator):
        value = list(value)
    try:
        if nan == "null" or _is_finite(value):
            return orjson.dumps(value, convert, orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        pass  # keys that are not text, integers over 64 bits, lone surrogates: the slow way has them all
    return json.dumps(plain(value, _POLICIES[nan]), allow_nan=False, separators=(",", ":")).encode()


def encode_lines(value: Any, nan: str) -> bytes:
    """One record a line, none after the last: SageMaker's AssembleWith=Line adds that one itself."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and 1 <= value.ndim <= 2 and value.size:
        old, new = (b",", b"\n") if value.ndim == 1 else (b"],[", b"]\n[")
        return encode(value, nan)[1:-1].replace(old, new)
    records = records_of(value)
    return encode(value, nan) if records is None else b"\n".join([encode(record, nan) for record in records])


def _is_finite(value: Any) -> bool:
    """Whether value is known, at little cost, to hold no NaN."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and bool(np.isfinite(value).all())


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _refuse(number: float) -> Any:
    raise ServingError(f"the answer holds {_word(number)}, which JSON cannot say and SERVING_JSON_NAN=error refuses")


_POLICIES: dict[str, NonFinite] = {"null": lambda _: None, "string": _word, "error": _refuse}
