"""kill -9 of each process that the server consists of: what is lost, and how soon the next request is answered."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event

import pytest

from tests.system.client import wait_until
from tests.system.processes import children
from tests.system.replies import Reply
from tests.system.server import Server

Serve = Callable[..., Server]

RECOVERY_S = 5.0  # the platform pings every 5 s: one missed ping at most
WORKER_GAP_S = 1.0  # a killed worker is back this long after its load time
NGINX_ALERT = "exited on signal 9"  # nginx's master tells so of its worker
PORT_STILL_HELD = r"bind\(\) to .* failed \(98"  # by workers of a killed nginx; the new one tries five times
ROLES = ["nginx_master", "nginx_worker", "gunicorn_master", "gunicorn_worker"]


def kill(server: Server, role: str) -> int:
    """kill -9 the first process of a role; return its pid."""
    pid = server.pids(role)[0]
    if role == "nginx_master":
        server.expected.append(PORT_STILL_HELD)
    os.kill(pid, signal.SIGKILL)
    return pid


def wait_replaced(server: Server, role: str, pid: int) -> None:
    """Wait until a role has a process and the killed one is gone."""
    wait_until(lambda: (now := server.pids(role)) and pid not in now, RECOVERY_S, f"a new {role}")


@pytest.fixture
def server(serve: Serve) -> Server:
    server = serve(expect=(NGINX_ALERT,))
    server.wait_ready()
    return server


@pytest.mark.parametrize("role", ROLES)
def test_after_kill_9_of_an_idle_process_requests_are_answered_again(server: Server, role: str) -> None:
    """And, as the end of every test asserts, SIGTERM still ends the server with 0."""
    killed_s = time.monotonic()
    pid = kill(server, role)
    wait_replaced(server, role, pid)
    server.wait_serving(RECOVERY_S)
    wait_until(server.is_ready, RECOVERY_S, "/ping is 200")
    assert time.monotonic() - killed_s < RECOVERY_S


def test_kill_9_of_the_nginx_master_loses_no_request_in_flight(server: Server) -> None:
    """Its worker finishes what it has while a new nginx takes the port."""
    held = server.hold_request("a")
    pid = kill(server, "nginx_master")
    wait_replaced(server, "nginx_master", pid)
    server.open_gate("a")
    assert held.result(RECOVERY_S).status == 200
    server.wait_serving(RECOVERY_S)


def test_kill_9_of_an_nginx_worker_cuts_its_own_requests_only(server: Server) -> None:
    held = [server.hold_request("a"), *(server.invoke_later({"do": "echo"}) for _ in range(7))]
    pid = kill(server, "nginx_worker")
    server.open_gate("a")
    wait_replaced(server, "nginx_worker", pid)
    server.wait_serving(RECOVERY_S)
    assert {outcome(each) for each in held} <= {"200", "no answer"}


@pytest.mark.parametrize("role", ["gunicorn_master", "gunicorn_worker"])
def test_kill_9_under_gunicorn_answers_requests_in_flight_with_503(server: Server, role: str) -> None:
    """nginx says so; it does not send the request to another worker, since it may be what killed this one."""
    held = server.hold_request("a")
    kill(server, role)
    assert held.result(RECOVERY_S).status == 503
    server.wait_serving(RECOVERY_S)


def test_kill_9_of_one_worker_leaves_the_requests_of_another_alone(serve: Serve) -> None:
    server = serve(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    server.wait_ready()
    held = server.hold_request("a")
    busy = server.wait_gate("a")
    (idle,) = set(server.pids("gunicorn_worker")) - {busy}
    os.kill(idle, signal.SIGKILL)
    wait_replaced(server, "gunicorn_worker", idle)
    server.open_gate("a")
    assert held.result(RECOVERY_S).status == 200


def test_kill_9_of_a_worker_under_load_loses_only_what_it_held(serve: Serve) -> None:
    """What waits in the socket's backlog is taken by another worker."""
    clients = 8
    server = serve(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    server.wait_ready()
    enough = Event()

    def client() -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not enough.is_set():
            statuses[server.invoke({"do": "sleep", "s": 0.005}).status] += 1
        return statuses

    load = [server.run_later(client) for _ in range(clients)]
    server.wait_event("request", count=100)
    pid = kill(server, "gunicorn_worker")
    wait_replaced(server, "gunicorn_worker", pid)
    server.wait_event("worker_ready", count=3)
    enough.set()
    statuses = sum((each.result(RECOVERY_S) for each in load), Counter())
    assert statuses.keys() <= {200, 503}
    assert statuses[503] <= clients


def test_a_killed_worker_is_back_within_a_second_of_its_load_time(server: Server) -> None:
    killed_s = time.monotonic()
    kill(server, "gunicorn_worker")
    load_s = server.wait_event("worker_ready", count=2)["load_s"]
    server.wait_serving(RECOVERY_S)
    assert time.monotonic() - killed_s < load_s + WORKER_GAP_S


def test_ping_is_503_while_the_only_worker_is_gone(serve: Serve) -> None:
    server = serve(env={"LOAD_GATE": "load"})
    server.open_gate("load")
    server.wait_ready()
    (server.gates / "load").unlink()
    kill(server, "gunicorn_worker")
    wait_until(lambda: server.ping().status == 503, 2, "/ping is 503")
    server.open_gate("load")
    wait_until(server.is_ready, RECOVERY_S, "/ping is 200")
    assert server.invoke({"do": "echo"}).status == 200


@pytest.mark.parametrize(("role", "code"), [("nginx_master", 137), ("gunicorn_master", 137)])
def test_the_fourth_death_in_five_minutes_ends_the_server_with_its_code(serve: Serve, role: str, code: int) -> None:
    """A fault that does not pass is for the platform: it replaces the container."""
    server = serve(expect=('"event": "failed"',))
    server.wait_ready()
    for _ in range(3):
        wait_replaced(server, role, kill(server, role))
        server.wait_serving(RECOVERY_S)
    kill(server, role)
    assert server.wait_exit(RECOVERY_S) == code
    last = server.log_events()[-1]
    assert (last["event"], last["phase"], last["code"]) == ("failed", role.partition("_")[0], code)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_pid_1_reaps_the_orphans_that_the_kernel_gives_it(serve: Serve) -> None:
    """The workers of a killed gunicorn, and what user code leaves behind. A zombie holds a pid for good."""
    server = serve(as_init=True)
    server.wait_ready()
    server.invoke({"do": "orphan"})
    kill(server, "gunicorn_master")
    server.wait_event("restart")
    server.wait_serving(RECOVERY_S)
    expected = [*server.pids("nginx_master"), *server.pids("gunicorn_master")]
    wait_until(lambda: sorted(children(server.process.pid)) == sorted(expected), RECOVERY_S, "no child but these two")


def test_a_worker_that_dies_of_a_request_answers_it_with_503_and_is_replaced(server: Server) -> None:
    assert server.invoke({"do": "die"}).status == 503
    server.wait_serving(RECOVERY_S)


def outcome(future: Future[Reply]) -> str:
    """The status, or that the connection was cut."""
    try:
        return str(future.result(RECOVERY_S).status)
    except (OSError, http.client.HTTPException):
        return "no answer"
