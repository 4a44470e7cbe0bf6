"""Workers that are replaced in full service: by requests, by memory; what a client notices, which is nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from tests.system.client import wait_until
from tests.system.server import Server

Serve = Callable[..., Server]


def load(server: Server, requests: int) -> Counter[int]:
    """Statuses of so many requests from one client."""
    return Counter(server.invoke({"do": "sleep", "s": 0.002}).status for _ in range(requests))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("worker_class", ["loop", "gthread"])
def test_workers_that_served_enough_are_replaced_without_a_lost_request(
    serve: Serve, workers: int, worker_class: str
) -> None:
    env = {"SERVING_MAX_REQUESTS": "150", "SERVING_WORKER_CLASS": worker_class}
    server = serve(env={**env, "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers)})
    server.wait_ready()
    before = set(server.pids("gunicorn_worker"))
    clients = [server.run_later(partial(load, server, 150)) for _ in range(6)]
    assert sum((client.result() for client in clients), Counter()) == Counter({200: 900})
    server.wait_event("worker_retires")
    wait_until(lambda: server.is_ready() and not before <= set(server.pids("gunicorn_worker")), 15, "a successor")
    wait_until(lambda: len(server.pids("gunicorn_worker")) == workers, 40, "the old one has ended")


def test_a_worker_that_has_grown_is_replaced(serve: Serve) -> None:
    server = serve(env={"SERVING_MAX_WORKER_MEMORY_MB": "150"})
    server.wait_ready()
    before = server.pid("gunicorn_worker")
    assert server.invoke({"do": "grow", "mb": 200}).status == 200
    assert "MB of memory" in server.wait_event("worker_retires")["reason"]
    end_s = time.monotonic() + 15
    while server.invoke({"do": "echo"}).json()["pid"] == before:
        assert time.monotonic() < end_s, "the grown one still serves"
    wait_until(lambda: len(server.pids("gunicorn_worker")) == 1, 40, "the old one has ended")


def test_a_bound_below_what_a_worker_needs_does_not_replace_for_ever(serve: Serve) -> None:
    server = serve(env={"SERVING_MAX_WORKER_MEMORY_MB": "1"})
    server.wait_ready()
    before = server.pid("gunicorn_worker")
    time.sleep(2)
    assert server.invoke({"do": "echo"}).json()["pid"] == before
    assert server.log_events("worker_retires") == []
