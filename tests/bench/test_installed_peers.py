"""The peers, each in its environment, installed as the benchmark does: mostly pip's work, so it runs beside others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import environments
from bench.contestants import choose
from bench.environments import BUILD_DIR
from bench.races import check
from bench.servers import Running
from bench.slots import Cell


@pytest.mark.parametrize("peer", ["aws-gevent", "fastapi", "mlserver-batch", "litserve-batch", "bentoml-batch"])
def test_an_installed_peer_finds_entities(peer: str, models: Path) -> None:
    """CI installs the peers' environments as make bench does; elsewhere only those that are there are tried."""
    (chosen,) = choose(peer)
    if os.environ.get("CI"):
        environments.make([chosen])
    if not (BUILD_DIR / chosen.environment / "installed.txt").is_file():
        pytest.skip(f"make bench installs {chosen.environment}; the tests do not")
    with Running(chosen, models / "ner", 1) as server:
        server.wait_ready()
        check(server, Cell("ner", 1))
