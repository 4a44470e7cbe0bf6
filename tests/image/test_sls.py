"""SLS-*: as which user, and with how little, the container runs. Ids: docs/contract.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.container import AS_PLATFORM, HARDENED, Container
from tests.image.test_run import SPECIES, species, without

Run = Callable[..., Container]


def test_sls_01_runs_unprivileged_with_a_read_only_root(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, options=("--user", "1000", "--read-only", "--tmpfs=/tmp"))
    container.wait_ready()
    assert species(container) == SPECIES


@pytest.mark.parametrize("options", [("--shm-size", "1m"), ("--ipc", "none")], ids=["tiny", "none"])
def test_sls_03_needs_no_shared_memory(options: tuple[str, ...], run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, options=options)
    container.wait_ready()
    assert species(container) == SPECIES


def test_runs_as_root_as_the_platform_does(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, options=AS_PLATFORM)
    container.wait_ready()
    assert species(container) == SPECIES


def test_runs_as_root_without_any_capability(run: Run, model_dir: Path) -> None:
    """Where a cluster's policy drops them all and the user stays root.

    nginx then says that it could not set the groups of the user that it is anyway, and goes on.
    """
    container = run(model_dir=model_dir, options=without(HARDENED, "--user"))
    container.wait_ready()
    assert species(container) == SPECIES
