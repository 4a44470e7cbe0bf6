"""The table that CSV and JSON bodies are decoded to. Made by csv_codec and json_codec, read by model and handlers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rows:
    """A 2-D array, float64 or object (when a column is text), and its column names where the body gave them."""

    values: NDArray[Any]
    columns: tuple[str, ...] | None = None


def from_columns(columns: list[NDArray[Any]], count: int) -> NDArray[Any]:
    """One array of shape (count, columns): float64 when all columns are, else object."""
    numeric = all(column.dtype == np.float64 for column in columns)
    values = np.empty((count, len(columns)), np.float64 if numeric else object)
    for index, column in enumerate(columns):
        values[:, index] = column
    return values
