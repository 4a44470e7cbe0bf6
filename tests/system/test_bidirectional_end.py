"""WebSockets when the server, a worker or nginx ends: an orderly Close where that is possible, and in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.client import wait_until
from tests.system.server import Server
from tests.system.websocket import PATH, Rejected, WebSocket

Serve = Callable[..., Server]
TALKER = (Path(__file__).parent / "talker.py").read_text()
IDLE_STOP_LIMIT_S = 4.0


@pytest.fixture(params=["loop", "gthread"])
def server(serve: Serve, request: pytest.FixtureRequest) -> Server:
    server = serve(predictor=TALKER, env={"SERVING_WORKER_CLASS": request.param, "SERVING_DRAIN_TIMEOUT": "6"})
    server.wait_ready()
    return server


def test_a_stop_closes_idle_sockets_with_1001_and_ends_soon(server: Server) -> None:
    """1. 20 sockets idle.  2. SIGTERM.  Result: each stream_fn says its last word; Close 1001; exit 0, soon."""
    opened = [WebSocket(server.port) for _ in range(20)]
    for each in opened:
        assert each.ask("a") == "a"
    stopping = server.run_later(server.stop)
    assert [each.hear() for each in opened] == ["the last word"] * 20
    assert {each.closed() for each in opened} == {(1001, "the server is stopping")}
    code, seconds = stopping.result()
    assert (code, seconds < IDLE_STOP_LIMIT_S) == (0, True)
    assert [each["code"] for each in server.log_events("conversation")] == [1001] * 20


def test_a_stop_lets_stream_fn_say_what_it_has_begun(server: Server) -> None:
    with WebSocket(server.port) as opened:
        opened.say('{"count": 20, "pause_s": 0.1}')
        assert opened.hear() == "0"
        stopping = server.run_later(server.stop)
        assert [opened.hear() for _ in range(20)] == [*map(str, range(1, 20)), "the last word"]
        assert opened.closed()[0] == 1001
        assert stopping.result()[0] == 0


def test_a_stream_fn_without_end_is_ended_before_the_drain_is_cut_off(server: Server) -> None:
    with WebSocket(server.port, f"{PATH}?endless") as opened:
        opened.say('{"count": 1000000, "pause_s": 0.02}')
        opened.hear()
        stopping = server.run_later(server.stop)
        assert opened.closed() == (1001, "the server is stopping")
        assert stopping.result()[0] == 0
    assert (server.gates / "closed-endless").exists()
    assert server.log_events("drain_timeout") == []


def test_a_worker_that_is_replaced_closes_with_1012(server: Server) -> None:
    """1. SIGHUP.  Result: Close 1012, and a new socket is served by the new worker."""
    with WebSocket(server.port) as opened:
        opened.ask("a")
        old = server.pid("gunicorn_worker")
        server.process.send_signal(signal.SIGHUP)
        assert opened.closed() == (1012, "the worker is being replaced")
    wait_until(lambda: server.pids("gunicorn_worker") not in ([], [old]), 10, "the old worker has gone")
    server.wait_ready()
    with WebSocket(server.port) as opened:
        assert opened.ask("b") == "b"


def test_a_worker_that_dies_takes_its_sockets_and_no_more(serve: Serve) -> None:
    server = serve(predictor=TALKER, expect=("SIGKILL", "exited"))
    server.wait_ready()
    with WebSocket(server.port) as opened:
        opened.ask("a")
        os.kill(server.pid("gunicorn_worker"), signal.SIGKILL)
        opened.ended()
    with wait_until(lambda: answering(server), 10, "a new worker answers") as opened:
        assert opened.ask("b") == "b"


def answering(server: Server) -> WebSocket | None:
    try:
        return WebSocket(server.port)
    except (Rejected, OSError, EOFError):
        time.sleep(0.05)
        return None
