"""Answers of a batch are those of each request alone, however the rows are divided among requests.

To the bit for trees, which compare and count row by row. For linear algebra nearly: BLAS takes another way through
matrices of another shape, and sums in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from container.batching import key_of
from container.lane import Job, Lane, Ticket

FEATURES, CLASSES = load_iris(return_X_y=True)
FOREST = RandomForestClassifier(n_estimators=20, random_state=0).fit(FEATURES, CLASSES)
REGRESSION = LogisticRegression(max_iter=500).fit(FEATURES, CLASSES)

Call = Callable[[Any], NDArray[Any]]
parts_of_rows = st.lists(st.lists(st.integers(0, len(FEATURES) - 1), min_size=1, max_size=40), min_size=2, max_size=12)


def batched(call: Call, parts: list[NDArray[Any]], max_batch_size: int) -> list[NDArray[Any]]:
    """What the lane gives each part when all of them wait at once."""
    lane = Lane(queue_limit=len(parts), watchdog_s=60, max_batch_size=max_batch_size)
    lane.start()
    tickets = [Ticket(Job(call, part, key_of(part), len(part)), math.inf) for part in parts]
    for ticket in tickets:
        lane.enter(ticket)
    while batch := lane.take():
        lane.run(batch)
    return [ticket.value for ticket in tickets]


@pytest.mark.parametrize("call", [FOREST.predict, FOREST.predict_proba, REGRESSION.predict])
@settings(max_examples=30, deadline=None)
@given(parts_of_rows, st.integers(2, 200))
def test_classes_and_a_forests_probabilities_are_equal_to_the_bit(
    call: Call, picked: list[list[int]], max_batch_size: int
) -> None:
    parts = [FEATURES[rows] for rows in picked]
    for given_alone, given_together in zip(map(call, parts), batched(call, parts, max_batch_size), strict=True):
        assert np.array_equal(given_together, given_alone)


@settings(max_examples=60, deadline=None)
@given(parts_of_rows, st.integers(2, 200))
def test_a_regressions_probabilities_are_equal_within_a_billionth(picked: list[list[int]], max_batch_size: int) -> None:
    parts = [FEATURES[rows] for rows in picked]
    answers = batched(REGRESSION.predict_proba, parts, max_batch_size)
    for part, together in zip(parts, answers, strict=True):
        np.testing.assert_allclose(together, REGRESSION.predict_proba(part), rtol=1e-9, atol=0)
