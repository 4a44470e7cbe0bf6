"""Sends one HTTP request and checks the reply against the contract. Called by client.Client for every request."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BODY_LIMIT_BYTES = 2048  # more of an error body does not reach a client of sagemaker-runtime
PROBLEM_KEYS = {"type", "title", "status", "detail", "request_id"}
LEAKS = re.compile(r"Traceback|File \"|\.py\b|(?<![\w.])/(?:app|etc|home|opt|root|srv|tmp|usr|var)/")
"""What an error body must not show: a traceback, a source file, a path of the machine."""


@dataclass(frozen=True)
class Reply:
    """One answer, and how long it took from connect to its last byte."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float
    connect_s: float = 0.0

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")

    @property
    def request_id(self) -> str:
        return self.headers.get("X-Request-Id", "")


def send(port: int, method: str, path: str, body: Any, headers: Mapping[str, str], timeout_s: float) -> Reply:
    """Send one request on a connection of its own. Raises OSError or http.client.HTTPException without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    started_s = time.monotonic()
    try:
        connection.connect()
        connect_s = time.monotonic() - started_s
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        content = response.read()
        return Reply(response.status, response.headers, content, time.monotonic() - started_s, connect_s)
    finally:
        connection.close()


def check(path: str, reply: Reply) -> Reply:
    """Raise AssertionError where the reply breaks the contract; return it otherwise."""
    if reply.body:
        assert reply.content_type, f"a body without Content-Type: {reply}"
    if path == "/ping" and reply.status == 200:
        assert reply.body == b"", f"/ping has a body: {reply}"
    if path.startswith("/invocations"):
        assert reply.request_id, f"no X-Request-Id: {reply}"
    if reply.status >= 400:
        check_problem(reply)
    return reply


def check_problem(reply: Reply) -> None:
    """Raise AssertionError unless the body is a short RFC 9457 problem that says nothing of the machine."""
    assert reply.content_type.partition(";")[0] == "application/problem+json", f"not problem JSON: {reply}"
    assert len(reply.body) <= BODY_LIMIT_BYTES, f"{len(reply.body)} bytes are too many: {reply}"
    problem = reply.json()
    assert problem.keys() >= PROBLEM_KEYS, f"keys missing: {reply}"
    assert problem["status"] == reply.status, f"the status differs from the body's: {reply}"
    assert problem["request_id"] == reply.request_id, f"the request id differs from the header's: {reply}"
    assert problem["detail"], f"no detail: {reply}"
    assert not LEAKS.search(reply.body.decode()), f"tells of the machine: {reply}"
    if reply.status == 503:
        assert int(reply.headers.get("Retry-After", "0")) >= 1, f"503 without Retry-After: {reply}"
