"""Stateful sessions through the real nginx and two workers: opened, remembered by each, closed, expired."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.system.client import wait_until
from tests.system.replies import Reply
from tests.system.server import Server

PREDICTOR = """
import os
import threading

def model_fn(model_dir):
    return None

def predict_fn(data, model, context):
    if context.session is None:
        return {"session": None}
    if "keep" in data:
        context.session["kept"] = data["keep"]
    if "lock" in data:
        context.session["lock"] = threading.Lock()
    return {"kept": context.session.get("kept"), "pid": os.getpid()}
"""
HEADER = "X-Amzn-SageMaker-Session-Id"
NEW_HEADER = "X-Amzn-SageMaker-New-Session-Id"
CLOSED_HEADER = "X-Amzn-SageMaker-Closed-Session-Id"
OPENED = re.compile(r"([a-zA-Z0-9](?:-*[a-zA-Z0-9])*);\sExpires=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
ENABLED = {"SAGEMAKER_ENABLE_STATEFUL_SESSIONS": "true", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(predictor=PREDICTOR, env=ENABLED, expect=("cannot be kept",))
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


def call(server: Server, session: str, body: Any) -> Reply:
    return server.invoke(body, **{HEADER: session})


def open_session(server: Server) -> str:
    """Its id."""
    reply = call(server, "NEW_SESSION", {"requestType": "NEW_SESSION"})
    assert reply.status == 200
    found = OPENED.fullmatch(reply.headers[HEADER])
    assert found
    return found[1]


def test_ses_01_02_a_session_is_opened_by_both_headers(server: Server) -> None:
    reply = call(server, "NEW_SESSION", {"requestType": "NEW_SESSION"})
    assert reply.headers[HEADER] == reply.headers[NEW_HEADER]
    found = OPENED.fullmatch(reply.headers[HEADER])
    assert found
    left_s = (datetime.strptime(found[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    assert 1190 < left_s <= 1200


def test_the_first_request_may_open_its_session(server: Server) -> None:
    reply = call(server, "NEW_SESSION", {"keep": "first"})
    found = OPENED.fullmatch(reply.headers[HEADER])
    assert found
    assert (reply.json()["kept"], call(server, found[1], {}).json()["kept"]) == ("first", "first")


def test_ses_03_each_worker_knows_what_a_session_remembers(server: Server) -> None:
    one, two = open_session(server), open_session(server)
    call(server, one, {"keep": "one"})
    call(server, two, {"keep": "two"})
    told = [call(server, one, {}).json() for _ in range(20)]
    assert {each["kept"] for each in told} == {"one"}
    assert len({each["pid"] for each in told}) == 2
    assert call(server, two, {}).json()["kept"] == "two"


@pytest.mark.parametrize("name", ["0" * 32, "unknown", "../ready", "..", "%2e%2e"])
def test_ses_04_an_id_that_is_not_open_is_refused(server: Server, name: str) -> None:
    reply = call(server, name, {})
    assert (reply.status, "NEW_SESSION" in reply.json()["detail"]) == (400, True)


def test_ses_05_a_closed_session_is_gone(server: Server) -> None:
    session = open_session(server)
    reply = call(server, session, {"requestType": "CLOSE"})
    assert (reply.status, reply.headers[CLOSED_HEADER]) == (200, session)
    assert call(server, session, {}).status == 400


def test_ses_06_a_session_ends_when_it_said(serve: Callable[..., Server]) -> None:
    """1. Opened for two seconds, far from UTC.  Result: known before its end, refused after it, its file gone later."""
    server = serve(predictor=PREDICTOR, env={**ENABLED, "SAGEMAKER_SESSIONS_EXPIRATION": "2", "TZ": "WEST+11"})
    server.wait_ready()
    session = open_session(server)
    assert call(server, session, {}).status == 200
    wait_until(lambda: call(server, session, {}).status == 400, 5, "it has expired")
    assert time.time() >= (server.run_dir / "sessions" / session).stat().st_mtime
    open_session(server)
    assert not (server.run_dir / "sessions" / session).exists()


def test_a_state_that_cannot_be_kept_is_told(server: Server) -> None:
    reply = call(server, open_session(server), {"lock": True})
    assert reply.status == 500
    assert "cannot be kept" in reply.json()["detail"]


def test_without_a_session_and_where_they_are_off_nothing_is_remembered(server: Server, sample: Server) -> None:
    assert server.invoke({}).json() == {"session": None}
    reply = sample.invoke(b"5.1,3.5,1.4,0.2\n", "text/csv", **{HEADER: "NEW_SESSION"})
    assert (reply.status, reply.headers[HEADER]) == (200, None)
