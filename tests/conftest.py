"""Which tests may run side by side: `make test` has three processes (pytest-xdist).

The checker's tests mostly wait for containers, and each brings its own; they are spread. All others start servers, fill
the machine or measure it, and stay in one process, in their order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SPREAD = Path(__file__).parent / "conformance"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SPREAD not in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("in one process"))
