"""Which tests run side by side: `make test` has three processes (pytest-xdist).

The checker's tests mostly wait for containers, and each brings its own; they are spread. So are files whose tests wait
for pip. All others start servers, fill the machine or measure it, and stay in one process, in their order.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SPREAD = "tests/conformance/"
FILES = ("tests/bench/test_installed_peers.py", "tests/image/test_sdk_local_mode.py")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist's are not exported with types
    """What has the same scope runs in the same process."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(SPREAD):
            return nodeid
        return nodeid.partition("::")[0] if nodeid.startswith(FILES) else "in one process"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)
