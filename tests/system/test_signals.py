"""TERM, INT, QUIT and HUP: what happens to requests in flight, the exit code, and how long it takes."""

from __future__ import annotations

import os
import pty
import signal
from collections import Counter
from collections.abc import Callable
from threading import Event

import pytest

from tests.system.client import wait_until
from tests.system.server import Server

Serve = Callable[..., Server]

STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
IDLE_STOP_S = 3.0

LINGERING = """
import atexit, time

def model_fn(model_dir):
    atexit.register(time.sleep, 1.2)
    return {}

def predict_fn(data, model):
    return data
"""


def names(signum: signal.Signals) -> str:
    return signum.name


@pytest.mark.parametrize("signum", STOPS, ids=names)
def test_an_idle_server_stops_with_0(server: Server, signum: signal.Signals) -> None:
    code, seconds = server.stop(signum)
    assert (code, seconds < IDLE_STOP_S) == (0, True)


@pytest.mark.parametrize("signum", STOPS, ids=names)
def test_a_request_in_flight_is_answered_before_the_end(server: Server, signum: signal.Signals) -> None:
    held = server.hold_request("a")
    server.process.send_signal(signum)
    server.wait_event("not_ready")
    assert not server.is_ready()
    server.open_gate("a")
    assert held.result(10).status == 200
    assert server.wait_exit(IDLE_STOP_S) == 0


def test_requests_that_wait_in_the_queue_are_answered_before_the_end(server: Server) -> None:
    held = server.hold_request("a")
    waiting = [server.invoke_later({"do": "echo"}) for _ in range(20)]
    wait_until(lambda: server.connections() == 21, 5, "nginx has accepted all requests")
    server.process.send_signal(signal.SIGTERM)
    server.wait_event("not_ready")
    server.open_gate("a")
    assert Counter(each.result(10).status for each in [held, *waiting]) == {200: 21}
    assert server.wait_exit(IDLE_STOP_S) == 0


def test_a_worker_that_takes_its_time_to_end_says_nothing_more(serve: Serve) -> None:
    """Longer than a heartbeat, which must not go on without what it beats with; the fixture reads the log."""
    server = serve(predictor=LINGERING)
    server.wait_ready()
    assert server.stop()[0] == 0


@pytest.mark.parametrize("signum", STOPS, ids=names)
def test_a_server_that_loads_stops_with_0(serve: Serve, signum: signal.Signals) -> None:
    """There is nothing to finish."""
    server = serve(env={"LOAD_GATE": "load"})
    server.wait_gate("load")
    code, seconds = server.stop(signum)
    assert (code, seconds < IDLE_STOP_S) == (0, True)


def test_a_server_whose_only_worker_loads_again_stops_with_0(serve: Serve) -> None:
    """The drain waits for requests, not for a worker that has none."""
    server = serve(env={"LOAD_GATE": "load"})
    server.open_gate("load")
    server.wait_ready()
    (server.gates / "load").unlink()
    (server.gates / "load.reached").unlink()
    os.kill(server.pid("gunicorn_worker"), signal.SIGKILL)
    server.wait_gate("load")
    code, seconds = server.stop()
    assert (code, seconds < IDLE_STOP_S) == (0, True)


@pytest.mark.parametrize("second", STOPS[:2], ids=names)
def test_a_second_signal_ends_at_once_with_128_and_its_number(server: Server, second: signal.Signals) -> None:
    server.hold_request("a")
    server.process.send_signal(signal.SIGTERM)
    server.wait_event("stop")
    code, seconds = server.stop(second)
    assert (code, seconds < 1) == (128 + second, True)


def test_a_request_that_outlasts_the_drain_timeout_is_cut(serve: Serve) -> None:
    """The platform would kill it 30 s after SIGTERM; here the limit is 1 s."""
    server = serve(env={"SERVING_DRAIN_TIMEOUT": "1"})
    server.wait_ready()
    server.hold_request("a")
    code, seconds = server.stop()
    assert (code, 1 <= seconds < 4) == (0, True)


def test_hup_serves_the_new_code_and_the_new_model(serve: Serve) -> None:
    server = serve(predictor=VERSIONED.replace("VERSION", "1"))
    server.wait_ready()
    assert server.invoke({}).json() == {"code": 1}
    server.write_program("predictor.py", VERSIONED.replace("VERSION", "22"))  # another length: .pyc knows seconds only
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.invoke({}).json() == {"code": 22}, 10, "the new code answers")
    wait_until(server.is_ready, 10, "/ping is 200")


def test_a_terminal_that_is_closed_ends_the_server(serve: Serve) -> None:
    """HUP means reload, but here nobody would be left to stop it, and the port would stay taken."""
    keyboard, terminal = pty.openpty()
    server = serve(terminal=terminal)
    os.close(terminal)
    server.wait_ready()
    os.close(keyboard)
    assert server.wait_exit(IDLE_STOP_S) == 0
    assert server.wait_event("stop")["signal"] == "SIGHUP"


def test_hup_loses_no_request(serve: Serve) -> None:
    server = serve(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    server.wait_ready()
    before = set(server.pids("gunicorn_worker"))
    enough = Event()

    def client() -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not enough.is_set():
            statuses[server.invoke({"do": "sleep", "s": 0.005}).status] += 1
        return statuses

    load = [server.run_later(client) for _ in range(8)]
    server.wait_event("request", count=50)
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("worker_ready", count=4)
    wait_until(lambda: not before & set(server.pids("gunicorn_worker")), 10, "the old workers are gone")
    enough.set()
    statuses = sum((each.result(10) for each in load), Counter())
    assert statuses.keys() == {200}


def test_hup_finishes_a_request_in_flight(server: Server) -> None:
    held = server.hold_request("a")
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("worker_ready", count=2)
    server.open_gate("a")
    assert held.result(10).status == 200


def test_hup_during_a_reload_starts_it_anew(serve: Serve) -> None:
    server = serve(env={"LOAD_S": "0.5", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    server.wait_ready()
    for count in (1, 2, 3):
        server.process.send_signal(signal.SIGHUP)
        server.wait_event("reload", count=count)
    assert server.wait_serving(10).status == 200
    wait_until(server.is_ready, 10, "/ping is 200")
    # An old worker stays until nginx closes its idle connections, 10 s after their last request.
    wait_until(lambda: len(server.pids("gunicorn_worker")) == 2, 20, "two workers are left")


def test_hup_to_code_that_cannot_load_ends_with_the_reason(serve: Serve) -> None:
    """The old workers are gone by then; a server that answers 503 for good must not stay up."""
    server = serve(expect=("worker_failed", '"event": "failed"'))
    server.wait_ready()
    server.write_program("predictor.py", "import no_such_module\n")
    server.process.send_signal(signal.SIGHUP)
    assert server.wait_exit(10) != 0
    last = server.log_events()[-1]
    assert (last["event"], "no_such_module" in last["detail"]) == ("failed", True)


def test_hup_while_loading_changes_nothing(serve: Serve) -> None:
    server = serve(env={"LOAD_GATE": "load"})
    server.wait_gate("load")
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("reload")
    server.open_gate("load")
    server.wait_ready()


VERSIONED = """
def model_fn(model_dir):
    return None

def predict_fn(data, model):
    return {"code": VERSION}
"""
