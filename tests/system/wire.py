"""A connection that sends any bytes and reads the answers that come: what http.client is too well-bred for.

Used by test_requests.py and test_bodies.py.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.system.replies import Reply

TIMEOUT_S = 30.0


class Wire:
    """One connection to 127.0.0.1:port, or to the Unix socket at path."""

    def __init__(self, port: int = 0, path: Path | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port) if path is None else str(path))
        if path is None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.started_s = time.monotonic()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.stream.close()
        self.socket.close()

    def send(self, pieces: Iterable[bytes], pause_s: float = 0.0) -> None:
        """Send pieces one by one. A server that has refused the request may stop reading: no error here."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            return

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):  # the server has closed
            self.socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """End with RST, as a client that was killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def reply(self, method: str = "POST") -> Reply:
        """The next final answer; interim ones are skipped. Raises http.client.HTTPException if there is none."""
        while True:
            status = self._status_line()
            headers = http.client.parse_headers(self.stream)
            if status >= 200:
                body = b"" if method == "HEAD" else self._body(headers)
                return Reply(status, headers, body, time.monotonic() - self.started_s)

    def rest(self) -> bytes:
        """All that still comes until the server closes."""
        try:
            return self.stream.read()
        except ConnectionResetError:
            return b""

    def _status_line(self) -> int:
        line = self.stream.readline(1000)
        version, _, rest = line.partition(b" ")
        if version != b"HTTP/1.1":
            raise http.client.BadStatusLine(repr(line))
        return int(rest[:3])

    def _body(self, headers: http.client.HTTPMessage) -> bytes:
        if headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.stream.read(int(headers.get("Content-Length", -1)))

    def _chunk(self) -> bytes:
        data = self.stream.read(int(self.stream.readline(), 16))
        self.stream.readline()
        return data


def request(body: bytes, content_type: str = "text/csv", *headers: str) -> bytes:
    """The bytes of a POST /invocations."""
    head = io.StringIO()
    head.write("POST /invocations HTTP/1.1\r\nHost: model\r\n")
    for line in (f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers):
        head.write(f"{line}\r\n")
    return head.getvalue().encode("latin-1") + b"\r\n" + body
