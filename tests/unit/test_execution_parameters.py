"""What batch transform is told: never more than the API allows, the body limit takes or the memory holds."""

from __future__ import annotations

from typing import Any

import pytest

from container.execution_parameters import execution_parameters
from container.resources import MEGABYTE, Limit

GIGABYTE = 1024 * MEGABYTE


def told(workers: int = 1, threads: int = 1, body_limit_mb: int = 25, memory_gb: int = 0) -> tuple[Any, Any]:
    memory = Limit(memory_gb * GIGABYTE, "cgroup limit") if memory_gb else None
    answer = execution_parameters(workers, threads, body_limit_mb, memory)
    assert answer["BatchStrategy"] == "MULTI_RECORD"
    return answer["MaxConcurrentTransforms"], answer["MaxPayloadInMB"]


def test_as_many_at_once_as_are_predicted_at_once() -> None:
    assert told(workers=2) == (2, 25)
    assert told(workers=2, threads=2) == (4, 25)


def test_a_body_is_no_larger_than_its_limit() -> None:
    assert told(body_limit_mb=6) == (1, 6)
    assert told(body_limit_mb=0) == (1, 100), "no limit is the API's"


@pytest.mark.parametrize("workers", [1, 3, 7, 64, 100, 400])
def test_the_product_is_what_the_api_allows(workers: int) -> None:
    at_once, payload_mb = told(workers=workers, body_limit_mb=0)
    assert 1 <= at_once * payload_mb <= 100


def test_what_the_memory_does_not_hold_is_not_asked_for() -> None:
    """Two workers of 250 MB leave 421 of 0.9 x 1,024 MB; each has an eighth of its half for a body."""
    assert told(workers=2, body_limit_mb=0, memory_gb=64) == (2, 50)
    assert told(workers=2, body_limit_mb=0, memory_gb=1) == (2, 26)
    assert told(workers=8, body_limit_mb=0, memory_gb=1) == (8, 1)
