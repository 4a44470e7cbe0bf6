"""The fixture of all system tests: serve(...) gives a running Server that is checked when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.system.sample import serve_sample, train
from tests.system.server import Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """serve(predictor=TEXT, model_dir=PATH, env={...}, files={NAME: TEXT}, expect=(PATTERN,)) -> Server, started."""
    with ExitStack() as servers:

        def start(**more: Any) -> Server:
            server = Server(**more)
            servers.callback(server.close)
            return server.start()

        yield start


@pytest.fixture(params=["loop", "gthread"])
def server(serve: Callable[..., Server], request: pytest.FixtureRequest) -> Server:
    """A server with one worker and the obedient predictor, ready; once of each class of worker."""
    ready = serve(env={"SERVING_WORKER_CLASS": request.param})
    ready.wait_ready()
    return ready


@pytest.fixture(scope="session")
def sample_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder that the shipped `train` makes of the shipped data."""
    return train(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def sample(sample_dir: Path) -> Iterator[Server]:
    """The shipped sample behind two workers, for all tests that leave it as it was: its start costs seconds."""
    with serve_sample(sample_dir) as server:
        yield server
