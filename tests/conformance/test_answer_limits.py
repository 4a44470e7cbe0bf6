"""However much servers answer at the same time, what is kept of it has a limit, and is given back."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from local_test.conformance import wire
from local_test.conformance.subjects import AddressServer
from local_test.conformance.wire import NoAnswer

LIMIT_BYTES = 4 * 2**20
HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "body": (HEAD + b"\r\n", b"x" * 65536),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 8192),
}


class Endless(socketserver.BaseRequestHandler):
    """Answers whatever path is asked for, until nobody reads."""

    def handle(self) -> None:
        path = self.request.recv(65536).split(b" ")[1].decode()
        head, more = ENDLESS[path.strip("/")]
        with suppress(OSError):
            self.request.sendall(head)
            while True:
                self.request.sendall(more)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AddressServer]:
    monkeypatch.setattr(wire, "ANSWER_LIMIT_BYTES", LIMIT_BYTES)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield AddressServer("127.0.0.1", listening.server_address[1])
        listening.shutdown()


def refusal(server: AddressServer, path: str, limit_bytes: int) -> str:
    with pytest.raises(NoAnswer) as caught:
        server.request("GET", path, timeout_s=20, limit_bytes=limit_bytes)
    return str(caught.value)


@pytest.mark.parametrize("path", ENDLESS)
def test_one_answer_has_a_limit(path: str, server: AddressServer) -> None:
    assert refusal(server, f"/{path}", 2**20) == "the answer has more than 1048576 bytes"
    assert wire._Held.all_bytes == 0


@pytest.mark.parametrize("path", ENDLESS)
def test_all_answers_together_have_a_limit(path: str, server: AddressServer) -> None:
    with ThreadPoolExecutor(8) as clients:
        texts = set(clients.map(lambda _: refusal(server, f"/{path}", LIMIT_BYTES), range(8)))
    assert f"answers at the same time have more than {LIMIT_BYTES} bytes" in texts
    assert wire._Held.all_bytes == 0
