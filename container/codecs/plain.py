"""Values of numpy, pandas, spaCy and the standard library as JSON's own types. Called by the codecs that write text.

pandas and spaCy are recognised by what their objects offer, and never imported.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

NonFinite = Callable[[float], Any]
"""What stands for NaN or an infinity."""


def keep(number: float) -> float:
    """Let NaN and infinities pass."""
    return number


def plain(value: Any, non_finite: NonFinite) -> Any:
    """The value in dict, list, str, int, float, bool and None, through and through."""
    if value is None or (isinstance(value, (str, bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else non_finite(value)
    if isinstance(value, Mapping):
        return {_key(key): plain(item, non_finite) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, non_finite) for item in value]
    if isinstance(value, np.ndarray):
        return plain(_as_list(value), non_finite)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), non_finite) for field in dataclasses.fields(value)}
    return plain(convert(value), non_finite)


def convert(value: Any) -> Any:
    """One step towards JSON for a value that orjson does not know; raises TypeError where there is none."""
    if isinstance(value, np.ndarray):
        return _as_orjson_array(value)
    if isinstance(value, np.generic):
        return _scalar(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat() if value == value else None  # pandas' NaT equals nothing
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, uuid.UUID):
        return str(value)
    return _convert_foreign(value)


def records_of(value: Any) -> list[Any] | None:
    """The records of a table, array, list or iterator; None for a value that is one record itself."""
    if _is_frame(value):
        return _frame_records(value)
    if hasattr(value, "toarray"):  # scipy's sparse matrices
        return list(value.toarray())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, Iterator):
        return list(value)
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        items = _array_or_list(value)
        return None if isinstance(items, np.ndarray) and items.ndim == 0 else list(items)
    return None


def _convert_foreign(value: Any) -> Any:
    """Objects of other libraries, by what they offer."""
    kind = type(value)
    if kind.__module__.startswith("spacy.tokens"):
        return _spacy(value)
    if kind.__name__ == "NAType":  # pandas.NA
        return None
    if _is_frame(value):
        return _frame_records(value)
    if hasattr(value, "toarray"):  # scipy's sparse matrices
        return value.toarray()
    if hasattr(value, "__array__"):  # pandas' Series and Index, torch's tensors
        return _array_or_list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Collection):
        return list(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"the answer holds a value of type {name}, which cannot be written; convert it in output_fn")


def _spacy(value: Any) -> Any:
    if hasattr(value, "ents") and hasattr(value, "cats"):
        return {"text": value.text, "ents": list(value.ents), "cats": value.cats}
    if hasattr(value, "start_char"):
        return {"text": value.text, "label": value.label_, "start": value.start_char, "end": value.end_char}
    return value.text


def _is_frame(value: Any) -> bool:
    return hasattr(value, "to_dict") and hasattr(value, "columns")


def _frame_records(frame: Any) -> list[dict[Any, Any]]:
    split = frame.to_dict("split")
    return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]


def _array_or_list(value: Any) -> NDArray[Any] | list[Any]:
    """pandas' own types as lists, since its missing integer would be NaN in an array; the rest as arrays."""
    if type(getattr(value, "dtype", None)).__module__.startswith("pandas"):
        return list(value)
    return np.asarray(value)


def _as_orjson_array(array: NDArray[Any]) -> Any:
    """orjson takes native, contiguous arrays of numbers; the rest goes as lists."""
    if array.ndim == 0:
        return array[()]
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        if native is not array:
            return native
    return _as_list(array)


def _as_list(array: NDArray[Any]) -> Any:
    if array.dtype.kind == "M":
        return orjson.loads(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY))
    if array.dtype in (np.float32, np.float16):
        # By way of text, so that 0.1 stays 0.1 and does not become 0.10000000149011612
        array = array.astype(np.float32).astype(np.str_).astype(np.float64)
    elif array.dtype == np.longdouble:
        array = array.astype(np.float64)
    return array.tolist()


def _scalar(value: np.generic) -> Any:
    if isinstance(value, (np.floating, np.datetime64)):
        return _as_list(np.asarray([value]))[0]
    item = value.item()
    if isinstance(item, (complex, tuple, np.generic)):
        raise TypeError(f"the answer holds a numpy {value.dtype}, which cannot be written; convert it in output_fn")
    return item


def _key(key: Any) -> str:
    """Object keys as JSON writers have them: true and null for Python's words, numbers as they print."""
    if isinstance(key, str) and not isinstance(key, Enum):
        return key
    if isinstance(key, (Enum, np.generic, date, Decimal)):
        return _key(convert(key))
    return {True: "true", False: "false", None: "null"}[key] if key is None or isinstance(key, bool) else str(key)
