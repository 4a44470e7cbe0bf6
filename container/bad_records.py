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
from container.codecs.plain import records_of as records_in
from container.errors import ServingError
from container.media_types import JSON_LINES, MediaType

PLACEHOLDER = None
IN_CSV = "null"  # an empty line would be taken for no record
TO_BLAME = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
CSV = "text/csv"
BY_LINES = (CSV, *JSON_LINES)


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


@dataclass(frozen=True)
class Records:
    """A body that has one record a line. A quoted line break would be cut, but batch transform cuts there itself."""

    header: list[bytes]
    """The line with the names, or none."""
    lines: list[bytes]
    content_type: str
    """That of some of them: whether there is a header is not guessed anew, a bad record looks like one."""

    def body(self, lines: list[bytes]) -> bytes:
        """Some of them as a body of their own."""
        return b"\n".join([*self.header, *lines, b""])


def records_of(body: bytes, content_type: str, csv_header: str) -> Records | None:
    """None for a body of another kind, or without records."""
    media = MediaType.parse(content_type)
    lines = [line for line in body.splitlines() if line.strip()]
    if media.essence not in BY_LINES or not lines:
        return None
    if media.essence != CSV:
        return Records([], lines, content_type)
    headed = int(media.params.get("header", csv_header) == "present")
    charset = f"; charset={media.params['charset']}" if "charset" in media.params else ""
    own_type = f"{CSV}; header={'present' if headed else 'absent'}{charset}"
    return Records(lines[:headed], lines[headed:], own_type)


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
    return part.tolist() if isinstance(part, np.ndarray) else records_in(part) or []
