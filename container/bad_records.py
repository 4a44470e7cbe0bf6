"""Records of batch transform that cannot be predicted: each gets a placeholder, so that the others keep their places.

Used by Model where SERVING_BAD_RECORDS says so, which is so in batch transform: there one bad record would cost the
output of its whole file, and outputs are joined to inputs by their order. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import numpy as np

from container import batching
from container.errors import ServingError
from container.media_types import MediaType

PLACEHOLDER = None
IN_CSV = "null"  # an empty line would be taken for no record
TO_BLAME = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
BY_LINES = ("text/csv", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson")


@dataclass
class Apart:
    """The answers of all records, one by one."""

    values: list[Any] = field(default_factory=list)
    bad: int = 0
    first_error: ServingError | None = None

    def add_bad(self, error: ServingError) -> None:
        self.values.append(PLACEHOLDER)
        self.bad += 1
        self.first_error = self.first_error or error


def lines_of(body: bytes, content_type: str, csv_header: str) -> tuple[bytes, list[bytes]] | None:
    """The header, with its line end, and the records of a body that has one a line; None for any other body.

    A quoted line break would be cut, but batch transform cuts there itself.
    """
    media = MediaType.parse(content_type)
    if media.essence not in BY_LINES:
        return None
    lines = [line for line in body.splitlines() if line.strip()]
    with_header = media.essence == "text/csv" and media.params.get("header", csv_header) == "present"
    return (lines[0] + b"\n", lines[1:]) if with_header and lines else (b"", lines)


def answer_apart(records: list[bytes], predict: Callable[[list[bytes]], Any]) -> Apart:
    """Predict for all, in as few calls as there are bad ones to find: by halves.

    predict: records -> one value each. Raises what it raises where no single record is to blame.
    """
    apart = Apart()
    _halve(records, predict, apart)
    return apart


def _halve(records: list[bytes], predict: Callable[[list[bytes]], Any], apart: Apart) -> None:
    try:
        apart.values += _listed(predict(records), len(records))
    except ServingError as error:
        if error.status not in TO_BLAME:
            raise
        if len(records) == 1:
            apart.add_bad(error)
            return
        middle = len(records) // 2
        _halve(records[:middle], predict, apart)
        _halve(records[middle:], predict, apart)


def _listed(prediction: Any, count: int) -> list[Any]:
    """Raises Unsplittable for what is not one value a record."""
    (part,) = batching.split(prediction, [count])
    return list(part.tolist() if isinstance(part, np.ndarray) or not isinstance(part, list) else part)
