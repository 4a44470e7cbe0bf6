"""A client of one server, by its port: every reply is checked against the contract. Base of server.Server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from tests.system.replies import Reply, check, send

T = TypeVar("T")

REPLY_LIMIT_S = 65.0  # over the platform's 60 s, so that a server that never answers fails the test by its own bound


def wait_until(condition: Callable[[], T], timeout_s: float, what: str) -> T:
    """Return the condition's first true value; fail saying what was awaited after timeout_s."""
    end_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)
    return value


class Client:
    """Sends requests to 127.0.0.1:port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._threads = ThreadPoolExecutor(max_workers=256, thread_name_prefix="client")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout_s: float = 0
    ) -> Reply:
        """The checked reply to one request. Raises OSError or http.client.HTTPException without one."""
        return check(path, send(self.port, method, path, body, headers or {}, timeout_s or REPLY_LIMIT_S))

    def ping(self) -> Reply:
        return self.request("GET", "/ping", timeout_s=5)

    def invoke(self, body: Any, content_type: str = "application/json", **headers: str) -> Reply:
        """POST /invocations. body: bytes, or an object sent as JSON. Header names with _ for -: accept="text/csv"."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/invocations", data, {"Content-Type": content_type, **named})

    def invoke_later(self, body: Any, **more: str) -> Future[Reply]:
        """invoke() in a thread of its own."""
        return self.run_later(lambda: self.invoke(body, **more))

    def run_later(self, task: Callable[[], T]) -> Future[T]:
        """Run a task in a thread of its own."""
        return self._threads.submit(task)

    def listens(self) -> bool:
        """Whether anything accepts connections on the port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def is_ready(self) -> bool:
        """Whether /ping is 200 now."""
        try:
            return self.ping().status == 200
        except OSError:
            return False

    def close_client(self) -> None:
        """Wait for no one."""
        self._threads.shutdown(wait=False, cancel_futures=True)
