"""Answers in parts, through the real nginx and both kinds of worker: what a generator yields is sent at once."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.client import wait_until
from tests.system.server import Server
from tests.system.wire import Wire, request

SPEAKER = (Path(__file__).parent / "speaker.py").read_text()
YIELDING = """
def model_fn(model_dir):
    return None

def predict_fn(data, model):
    for value in data["values"]:
        yield value
"""


@pytest.fixture(scope="module", params=["loop", "gthread"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    env = {"SERVING_WORKER_CLASS": request.param}
    server = Server(predictor=SPEAKER, env=env, expect=("as asked",))
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


@contextmanager
def stream(server: Server, **order: Any) -> Iterator[http.client.HTTPResponse]:
    """The head of an answer in parts; read1() gives the next ones."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/invocations", json.dumps(order), {"Content-Type": "application/json"})
        yield connection.getresponse()
    finally:
        connection.close()


def test_each_part_is_sent_before_the_next_is_made(server: Server) -> None:
    with stream(server, parts=["a", "b", "c"], wait=1, gate="second", name="each") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
        assert (answer.headers["Transfer-Encoding"], answer.headers["Content-Length"]) == ("chunked", None)
        assert answer.headers["X-Request-Id"]
        assert answer.read1() == b"a"
        server.open_gate("second")
        assert answer.read() == b"bc"


def test_the_log_tells_of_the_whole_answer(server: Server) -> None:
    with stream(server, parts=["one", "two"]) as answer:
        answer.read()
    wanted = {"request_id": answer.headers["X-Request-Id"], "status": 200, "bytes_out": 6, "parts": 2}
    wait_until(lambda: [each for each in server.log_events("request") if each.items() >= wanted.items()], 5, "a line")


def test_a_fault_before_the_first_part_is_an_answer(server: Server) -> None:
    reply = server.invoke({"parts": ["a"], "fail": 0})
    assert (reply.status, reply.content_type) == (500, "application/problem+json")


def test_a_fault_in_the_middle_breaks_the_connection(server: Server) -> None:
    """1. The third part is never made.  Result: no clean end; the log has why; the next request is answered."""
    broken = len(server.log_events("stream_broken"))
    with stream(server, parts=["a", "b", "c"], fail=2) as answer, pytest.raises(http.client.IncompleteRead):
        answer.read()
    assert wait_until(lambda: server.log_events("stream_broken")[broken:], 5, "it is logged")[0]["request_id"]
    assert server.invoke({"parts": ["on"]}).body == b"on"


def test_a_value_that_is_no_text_has_to_be_streamed_as_json(server: Server) -> None:
    assert "streamed as str or bytes" in server.invoke({"parts": [{"a": 1}]}).json()["detail"]
    lines = server.invoke({"parts": [{"a": 1}, [2]], "type": "application/jsonlines"})
    assert lines.body == b'{"a":1}\n[2]\n'
    events = server.invoke({"parts": [{"a": 1}, "data: b\n\n"], "type": "text/event-stream"})
    assert events.body == b'data: {"a":1}\n\ndata: b\n\n'


def test_a_client_that_leaves_ends_the_generator(server: Server) -> None:
    with stream(server, count=10**6, size=10, pause_s=0.01, name="left") as answer:
        answer.read1()
        assert not (server.gates / "closed-left").exists()
    wait_until((server.gates / "closed-left").exists, 10, "its finally block has run")


def test_a_slow_reader_does_not_fill_the_memory(server: Server) -> None:
    """1. 1 GB is asked for and not read.  Result: parts are made until the sockets are full, and no more."""
    order = json.dumps({"count": 1000, "size": 1 << 20, "name": "slow"}).encode()
    with Wire(server.port) as wire:
        wire.send([request(order, "application/json")])
        made = server.gates / "made"
        made.unlink(missing_ok=True)

        def stands() -> bool:
            before = made.read_text() if made.exists() else ""
            wait_until(lambda: server.ping().status == 200, 5, "/ping is 200")
            return before != "" and before == made.read_text()

        wait_until(stands, 20, "no further part is made")
        assert int(made.read_text()) < 50
    wait_until((server.gates / "closed-slow").exists, 10, "the generator has ended")


def test_streams_and_other_requests_take_turns(server: Server) -> None:
    with stream(server, count=10**6, size=10, pause_s=0.01, name="turns") as answer:
        answer.read1()
        for _ in range(5):
            assert server.invoke({"parts": ["other"]}).body == b"other"
        assert answer.read1()


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("*/*", "application/jsonlines", b'{"a":1}\n2\n'),
        ("application/jsonlines", "application/jsonlines", b'{"a":1}\n2\n'),
        ("text/event-stream", "text/event-stream", b'data: {"a":1}\n\ndata: 2\n\n'),
        ("application/json", "application/json", b'[{"a":1},2]'),
    ],
)
@pytest.mark.parametrize("yielding", ["loop"], indirect=True)
def test_a_predict_fn_that_yields_needs_no_output_fn(
    yielding: Server, accept: str, content_type: str, body: bytes
) -> None:
    reply = yielding.invoke({"values": [{"a": 1}, 2]}, accept=accept)
    assert (reply.content_type, reply.body) == (content_type, body)
    assert ("Content-Length" in reply.headers) == (accept == "application/json")


@pytest.fixture(scope="module")
def yielding(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(predictor=YIELDING, env={"SERVING_WORKER_CLASS": request.param})
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()
