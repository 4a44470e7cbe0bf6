"""Other tools than ours against the double: a stack, the AWS CLI, the SageMaker SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.double import Double
from tests.deploy.elsewhere.container import serving
from tests.deploy.flow.conftest import QUICK, cloud, one_aws

pytest.register_assert_rewrite("tests.deploy.elsewhere.stack")
__all__ = ["cloud", "one_aws"]


@pytest.fixture
def quick(double: Double) -> Double:
    """Its states take no time."""
    vars(double.delays).update(QUICK)
    return double


@pytest.fixture
def container(double: Double) -> Iterator[None]:
    """Behind every endpoint of the double."""
    with serving() as url:
        double.routes["*"] = url
        yield
