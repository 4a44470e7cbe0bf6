"""Lists that came out of JSON to tables: which lists are rows, records, texts or arrays. Called by json_codec."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from container.codecs.rows import Rows, from_columns
from container.errors import UnprocessableInput

_SCALARS = {str, int, float, bool, type(None)}


def from_list(values: list[Any], has_text: bool = True) -> Any:
    """Numbers, nested evenly: Rows if two deep, else an array. Lists or objects of plain values: Rows, text columns as
    objects. Anything else, such as a list of texts: the list itself. null among numbers is NaN.

    has_text False promises that no string is in values: then numpy may read them as they are (it would take "1" for 1).
    Raises UnprocessableInput (422) naming the row where lists differ in length.
    """
    if not has_text:
        array = _numbers(values)
        if array is not None:
            return Rows(array) if array.ndim == 2 else array
    first = values[0] if values else None
    if type(first) is list:
        return _from_rows(values)
    if type(first) is dict:
        return _from_records(values)
    if has_text and values and (_SCALARS - {str}).issuperset(map(type, values)):
        return np.array(values, np.float64)
    return values


def from_split(content: dict[str, Any]) -> Rows:
    """Rows of pandas' split form: {"columns": [...], "data": [[...]]}; an index is ignored."""
    names, data = content.get("columns"), content.get("data")
    if type(names) is not list or type(data) is not list:
        raise UnprocessableInput('dataframe_split needs "columns" and "data", both lists')
    table = _table(data, tuple(map(str, names)), len(names)) if _check_rows(data, len(names)) else None
    if table is None:
        raise UnprocessableInput("dataframe_split data must hold numbers, texts, true, false and null only")
    return table


def _numbers(values: list[Any]) -> NDArray[np.float64] | None:
    try:
        return np.array(values, np.float64) if values else None
    except (TypeError, ValueError):
        return None


def _from_rows(rows: list[Any]) -> Any:
    if any(type(row) is list and any(type(cell) in (list, dict) for cell in row) for row in rows):
        return _deep(rows)
    _check_rows(rows, len(rows[0]))
    return _table(rows, None, len(rows[0]))


def _deep(values: list[Any]) -> Any:
    """Lists within the rows' lists: an array if even and all numbers, else as they are."""
    cells: list[Any] = values
    while cells and all(type(cell) is list for cell in cells):
        cells = list(chain.from_iterable(cells))
    array = _numbers(values) if _SCALARS - {str} >= set(map(type, cells)) else None
    return values if array is None else array


def _from_records(records: list[Any]) -> Any:
    for number, record in enumerate(records, 1):
        if type(record) is not dict:
            raise UnprocessableInput(f"row {number} is not an object, but the first row is")
    columns = tuple(dict.fromkeys(chain.from_iterable(records)))
    rows = [[record.get(column) for column in columns] for record in records]
    table = _table(rows, columns, len(columns))
    return records if table is None else table


def _check_rows(rows: list[Any], width: int) -> bool:
    for number, row in enumerate(rows, 1):
        if type(row) is not list:
            raise UnprocessableInput(f"row {number} is not a list; every row must be a list of {width} values")
        if len(row) != width:
            raise UnprocessableInput(f"row {number} has {len(row)} values, but {width} are needed as in the first row")
    return True


def _table(rows: list[list[Any]], columns: tuple[str, ...] | None, width: int) -> Rows | None:
    """Rows of lists of one width; None if a cell is no plain value."""
    kinds = set(map(type, chain.from_iterable(rows)))
    if not kinds <= _SCALARS:
        return None
    if str not in kinds:
        return Rows(np.array(rows, np.float64).reshape(len(rows), width), columns)
    return Rows(from_columns([_column(cells) for cells in zip(*rows, strict=True)], len(rows)), columns)


def _column(cells: tuple[Any, ...]) -> NDArray[Any]:
    return np.array(cells, object if str in set(map(type, cells)) else np.float64)
