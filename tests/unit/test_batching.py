"""Joining the data of requests and splitting the answer: nobody gets another's row, whatever the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csc_matrix, csr_array

from container.batching import Unsplittable, join, key_of, split

COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def numbered(counts: list[int]) -> list[list[int]]:
    """0, 1, 2, ... dealt out to parts of these sizes."""
    numbers = iter(range(sum(counts)))
    return [[next(numbers) for _ in range(count)] for count in counts]


KINDS = {
    "arrays": lambda rows: np.array([[row, -row] for row in rows], np.float64),
    "texts": lambda rows: [f"text {row}" for row in rows],
    "frames": lambda rows: pd.DataFrame({"n": rows, "name": [f"text {row}" for row in rows]}),
}


@pytest.mark.parametrize("kind", KINDS)
@given(counts=COUNTS)
def test_parts_that_were_joined_are_split_back_as_they_were(kind: str, counts: list[int]) -> None:
    parts = [KINDS[kind](rows) for rows in numbered(counts)]
    assert len({key_of(part) for part in parts}) == 1
    for before, after in zip(parts, split(join(parts), counts), strict=True):
        assert type(before) is type(after)
        assert_equal(before, after)


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    else:
        np.testing.assert_array_equal(one, other)


def test_joining_leaves_what_it_was_given_alone() -> None:
    first, second = np.zeros((1, 2)), np.ones((1, 2))
    join([first, second])[:] = 7
    assert (first.tolist(), second.tolist()) == ([[0, 0]], [[1, 1]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((1, 2)), np.zeros((1, 3))),
        (np.zeros((1, 2)), np.zeros((1, 2), np.float32)),
        (np.zeros((1, 2)), ["text"]),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1]})),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": ["x"]})),
    ],
    ids=["width", "dtype", "kind", "columns", "integer column", "text column"],
)
def test_data_that_differs_in_kind_has_another_key(one: Any, other: Any) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize(
    "data",
    [
        np.array([["a", 1]], object), np.zeros(3), np.zeros((1, 2, 3)), [], ["text", 1], [[1, 2]], {"input": "text"},
        "text", b"bytes", None, np.zeros((0, 2)), pd.DataFrame({"n": [1]})[:0],
        np.ma.masked_array([[1.0]], [[True]]), pd.DataFrame({"n": [1]}, ["id"]),
        pd.DataFrame({"n": [1, 2]})[1:], pd.DataFrame({"n": [1]}, pd.RangeIndex(1, name="id"))
    ],
)  # fmt: skip
def test_other_data_goes_alone(data: Any) -> None:
    """An array of objects too: what a library makes of a column may depend on its other values. What is not in the
    values, a mask or an index, would be lost. What has no rows is refused alone, and would not be in company."""
    assert key_of(data) is None


@pytest.mark.parametrize(
    "answer",
    [
        np.zeros(2), np.array(3), [1, 2], [], pd.Series([1, 2]), {"a": 1, "b": 2, "c": 3}, "abc", b"abc", None,
        (1, 2, 3), iter([1, 2, 3]),
    ],
)  # fmt: skip
def test_an_answer_without_one_value_a_row_is_not_split(answer: Any) -> None:
    """A dict or a text of three would pass for three rows, and hand out its parts."""
    with pytest.raises(Unsplittable, match="3 rows"):
        split(answer, [1, 2])


@pytest.mark.parametrize("kind", [csr_array, csc_matrix, coo_array])
def test_a_sparse_matrix_is_split_by_rows(kind: Any) -> None:
    """What vectorizers and encoders answer."""
    rows = np.eye(3)
    assert [part.toarray().tolist() for part in split(kind(rows), [1, 2])] == [rows[:1].tolist(), rows[1:].tolist()]


def test_a_series_is_split_by_position_and_counts_from_0_again() -> None:
    parts = split(pd.Series([5, 6, 7], name="n"), [1, 2])
    assert [part.to_dict() for part in parts] == [{0: 5}, {0: 6, 1: 7}]


def test_an_index_of_the_users_own_is_kept() -> None:
    parts = split(pd.Series([5, 6, 7], index=["a", "b", "c"]), [1, 2])
    assert [part.to_dict() for part in parts] == [{"a": 5}, {"b": 6, "c": 7}]
