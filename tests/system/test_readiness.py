"""/ping is 200 only when a request would be served now, and is answered at once whatever the workers do."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.system.client import wait_until
from tests.system.server import Server

Serve = Callable[..., Server]

PING_LIMIT_S = 2.0  # the platform's: an answer after that counts as a failed health check
CONNECT_LIMIT_S = 0.25
SOON_S = 0.05
BURN = """
import time

def model_fn(model_dir):
    return None

def predict_fn(data, model):
    end_s = time.monotonic() + 0.1
    while time.monotonic() < end_s:  # keeps the CPU and the interpreter's lock
        pass
    return data
"""


def test_ping_is_503_while_the_model_loads_and_the_first_200_is_true(serve: Serve) -> None:
    server = serve(env={"LOAD_GATE": "load", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    server.wait_gate("load")
    wait_until(server.listens, 5, "nginx listens")
    assert server.ping().status == 503
    assert server.invoke({"do": "echo"}).status == 503
    server.open_gate("load")
    server.wait_ready()
    assert server.invoke({"do": "echo"}).status == 200


def test_ping_is_503_until_the_last_worker_has_loaded(serve: Serve) -> None:
    """A request may reach any of them."""
    server = serve(
        predictor="import os\nfrom pathlib import Path\nfrom time import sleep\n\ndef model_fn(model_dir):\n"
        "    gates = Path(os.environ['GATES'])\n    try:\n        (gates / 'first').touch(exist_ok=False)\n"
        "    except FileExistsError:\n        (gates / 'second').touch()\n"
        "        while not (gates / 'go').exists():\n            sleep(0.01)\n\n"
        "def predict_fn(data, model):\n    return data\n",
        env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
    )
    wait_until((server.gates / "second").exists, 10, "the second worker loads")
    server.wait_event("worker_ready")
    assert server.ping().status == 503
    server.open_gate("go")
    server.wait_ready()


def test_ping_has_no_body_and_no_line_in_the_log(server: Server) -> None:
    reply = server.ping()
    assert (reply.status, reply.body) == (200, b"")
    assert server.log_events("request") == []


def test_ping_is_answered_in_time_at_full_load(serve: Serve) -> None:
    """PNG-02, PNG-04: 100 of 100, while both workers compute and their queues are full."""
    server = serve(predictor=BURN, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SERVING_QUEUE_LIMIT": "16"})
    server.wait_ready()
    stop_s = time.monotonic() + 30

    def client() -> None:
        while time.monotonic() < stop_s:
            server.invoke({})

    load = [server.run_later(client) for _ in range(48)]
    server.wait_event("request", count=20)
    pings = [server.ping() for _ in range(100)]
    stop_s = 0.0
    for each in load:
        each.result(10)
    assert {each.status for each in pings} == {200}
    assert max(each.seconds for each in pings) < PING_LIMIT_S
    assert max(each.connect_s for each in pings) < CONNECT_LIMIT_S
    late = sum(each.seconds > SOON_S for each in pings)
    assert late <= 20, f"{late} of 100 pings over {SOON_S * 1000:g} ms"


def test_ping_stays_200_at_the_shortest_timeout(serve: Serve) -> None:
    """An idle worker is not a stuck one: heartbeats come once a second, a timeout may be half of that."""
    server = serve(env={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "0.5"})
    server.wait_ready()
    worker = server.pid("gunicorn_worker")
    end_s = time.monotonic() + 4
    while time.monotonic() < end_s:
        assert server.ping().status == 200
        time.sleep(0.05)
    assert server.pids("gunicorn_worker") == [worker]
    assert server.log_events("not_ready") == []
