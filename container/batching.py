"""Many requests' data as one for a single predict call, and its answer split back exactly. Called by lane.

Data that can be joined: 2-D arrays of numbers, lists of texts, DataFrames. pandas is recognised by what its objects
offer, and never imported here; so are the sparse matrices of scipy that some transformers answer with.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np


class Unsplittable(TypeError):
    """The answer has not one value for each row, so that nobody can say whose is whose."""


def key_of(data: Any) -> Hashable | None:
    """What the data of two requests must have in common to go into one call; None if it must go alone.

    Arrays of objects go alone: what a library makes of a column may depend on its other values. So do those that carry
    more than their values, which would be lost: masked arrays, and DataFrames whose index is not just 0, 1, 2, ...
    And so do those without rows, which most models refuse, but not in company.
    """
    if type(data) is np.ndarray:
        return ("array", data.dtype, data.shape[1]) if data.ndim == 2 and data.dtype != object and len(data) else None
    if isinstance(data, list):
        return "texts" if data and all(type(item) is str for item in data) else None
    if not _is_frame(data) or not _is_counted(data.index):
        return None
    return ("frame", tuple(data.columns), tuple(data.dtypes)) if len(data) else None


def join(parts: Sequence[Any]) -> Any:
    """The rows of all parts, which have the same key, in their order."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], list):
        return [item for part in parts for item in part]
    return sys.modules["pandas"].concat(parts, ignore_index=True)


def is_one_a_row(answer: Any, rows: int) -> bool:
    """Whether an answer to so many rows can be split."""
    return _length(answer) == rows


def split(answer: Any, counts: Sequence[int]) -> list[Any]:
    """The answer to joined parts of so many rows as one answer to each part. Raises Unsplittable."""
    found = _length(answer)
    if found != sum(counts):
        told = "no rows" if found is None else f"{found} rows"
        raise Unsplittable(f"the answer to {sum(counts)} rows is a {type(answer).__name__} of {told}")
    spans = pairwise(accumulate(counts, initial=0))
    if _is_sparse(answer):
        answer = answer.tocsr()  # the format that is cut by rows
    if hasattr(answer, "iloc"):
        return [_rows_of_frame(answer, start, end) for start, end in spans]
    return [answer[start:end] for start, end in spans]


def _length(answer: Any) -> int | None:
    if isinstance(answer, np.ndarray) or hasattr(answer, "iloc"):
        return len(answer) if answer.ndim else None
    if _is_sparse(answer):
        return int(answer.shape[0])
    return len(answer) if isinstance(answer, list) else None


def _rows_of_frame(frame: Any, start: int, end: int) -> Any:
    """With the index that the part alone would have had."""
    part = frame.iloc[start:end]
    return part.reset_index(drop=True) if type(frame.index).__name__ == "RangeIndex" else part


def _is_counted(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and (index.start, index.step, index.name) == (0, 1, None)


def _is_sparse(answer: Any) -> bool:
    return hasattr(answer, "tocsr")


def _is_frame(data: Any) -> bool:
    return hasattr(data, "iloc") and hasattr(data, "columns")
