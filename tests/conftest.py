"""Which tests run side by side: `make test` has three processes (pytest-xdist).

The checker's tests mostly wait for containers, and each brings its own; they are spread. So are files whose tests wait
for pip, or ask a stand-in for AWS of their own. All others start servers, fill the machine or measure it, and stay in
one process, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from tests.deploy.double import Double

SPREAD = "tests/conformance/"
FILES = ("tests/bench/test_installed_peers.py", "tests/deploy/")
OF_SDK = ("tests/deploy/elsewhere/test_sdk.py", "tests/image/test_sdk_local_mode.py")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist's are not exported with types
    """What has the same scope runs in the same process."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(SPREAD):
            return nodeid
        if nodeid.startswith(OF_SDK):
            return "the SDK, which is installed once"
        return nodeid.partition("::")[0] if nodeid.startswith(FILES) else "in one process"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def one_double() -> Iterator[Double]:
    """The double of AWS, for tests of deploy/ and of build_and_push.sh: moto has one state a process."""
    from tests.deploy.double import running  # moto takes a second to import, and most tests want none

    with running() as double:
        yield double
