"""One TCP connection to the server under test: sends any bytes, reads what comes, never waits longer than told.

Used by server for every request, and by checks where timing or broken framing matters. h11 parses the answers.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import h11

READ_BYTES = 1 << 16
ANSWER_LIMIT_BYTES = 512 * 10**6  # of all answers that are being read: one without end must not fill our memory
PIECE_BYTES = 150  # what Python needs to keep one, beside its bytes
EXCERPT_CHARACTERS = 120
SWITCHING = 101


class NoAnswer(Exception):
    """The server gave no HTTP answer; the text says what it did instead."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; the last one counts."""
    body: bytes
    seconds: float
    """From the first byte sent to the last one read."""
    connect_s: float
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    """The body as it came: seconds since the first byte sent, bytes. One piece a chunk where they are small."""
    chunked: bool = False
    complete: bool = True
    """False: the connection ended before the body did."""

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def __str__(self) -> str:
        """For the report: the status and the beginning of the body."""
        text = " ".join(self.body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace").split())
        more = "..." if len(text) > EXCERPT_CHARACTERS else ""
        return f"{self.status} {text[:EXCERPT_CHARACTERS]}{more}".rstrip()


class Wire:
    """A connection with an end: nothing waits past deadline_s, which each answer() may put off."""

    def __init__(self, sock: socket.socket, connect_s: float, timeout_s: float) -> None:
        self.socket = sock
        self.connect_s = connect_s
        self.deadline_s = time.monotonic() + timeout_s
        self.started_s: float | None = None
        self._received = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def abort(self) -> None:
        """End with a reset, as a client that was killed."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes | Iterable[bytes], pause_s: float = 0.0) -> None:
        """Send bytes, or pieces with a pause between them. A server that stops reading is no error: it may answer."""
        self.started_s = self.started_s or time.monotonic()
        try:
            for piece in [data] if isinstance(data, bytes) else data:
                self.socket.settimeout(self._left_s())
                self.socket.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
        except TimeoutError:
            raise NoAnswer(f"it did not take the request within {self._waited_s():.1f} s") from None
        except OSError:
            return

    def receive(self, count: int = READ_BYTES) -> bytes:
        """Some bytes; empty at the end of the stream. Raises NoAnswer if none come in time."""
        if self._received:
            data, self._received = self._received[:count], self._received[count:]
            return data
        try:
            self.socket.settimeout(self._left_s())
            return self.socket.recv(count)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._waited_s():.1f} s") from None
        except ConnectionError:
            return b""

    def answer(
        self, method: str = "POST", timeout_s: float | None = None, limit_bytes: int = ANSWER_LIMIT_BYTES
    ) -> Answer:
        """The next final answer. Raises NoAnswer. The body may be incomplete: see Answer.complete."""
        if timeout_s is not None:
            self.deadline_s = time.monotonic() + timeout_s
        with _Held(limit_bytes) as held:
            reader = _Reader(self, method, held)
            try:
                return reader.read()
            except NoAnswer:
                reader.pieces.clear()  # or they live as long as the exception
                raise

    def put_back(self, data: bytes) -> None:
        """Bytes that belong to what comes after the answer."""
        self._received = data + self._received

    def _left_s(self) -> float:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def _waited_s(self) -> float:
        return time.monotonic() - (self.started_s or self.deadline_s)


class _Held:
    """How much memory one answer takes while it is read, and all of them together."""

    all_bytes = 0
    lock = threading.Lock()

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._add(-self.bytes)

    def take(self, size_bytes: int) -> None:
        """Raises NoAnswer where it is too much."""
        self._add(size_bytes + PIECE_BYTES)
        if self.bytes > self.limit_bytes:
            raise NoAnswer(f"the answer has more than {self.limit_bytes} bytes")
        if _Held.all_bytes > ANSWER_LIMIT_BYTES:
            raise NoAnswer(f"answers at the same time have more than {ANSWER_LIMIT_BYTES} bytes")

    def _add(self, size_bytes: int) -> None:
        self.bytes += size_bytes
        with _Held.lock:
            _Held.all_bytes += size_bytes


class _Reader:
    """Feeds h11 until one answer is whole."""

    def __init__(self, wire: Wire, method: str, held: _Held) -> None:
        self.wire = wire
        self.held = held
        self.parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=READ_BYTES)
        # What was sent may have asked for another protocol: then 101 is final, and what follows is not HTTP.
        upgrade = [("Host", "x"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
        self.parser.send(h11.Request(method=method, target="/", headers=upgrade))
        self.parser.send(h11.EndOfMessage())
        self.pieces: list[tuple[float, bytes]] = []
        self.begun = False
        """Whether the head is read."""

    def read(self) -> Answer:
        head = self._head()
        self.begun = True
        complete = head.status_code == SWITCHING or self._body()
        with contextlib.suppress(h11.ProtocolError):
            self.wire.put_back(self.parser.trailing_data[0])
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        return Answer(
            head.status_code, headers, b"".join(data for _, data in self.pieces), self._since_s(), self.wire.connect_s,
            self.pieces, "chunked" in headers.get("transfer-encoding", "").lower(), complete,
        )  # fmt: skip

    def _head(self) -> h11.Response | h11.InformationalResponse:
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == SWITCHING:
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise NoAnswer("it closed the connection without an answer")

    def _body(self) -> bool:
        """Read it; whether it came to its end."""
        while True:
            try:
                event = self._next()
            except h11.RemoteProtocolError:
                return False
            if not isinstance(event, h11.Data):
                return isinstance(event, h11.EndOfMessage)
            self.held.take(len(event.data))
            self.pieces.append((self._since_s(), bytes(event.data)))

    def _next(self) -> Any:
        try:
            while (event := self.parser.next_event()) is h11.NEED_DATA:
                data = self.wire.receive()
                if not data and self.parser.their_state is h11.SEND_RESPONSE:
                    raise NoAnswer("it closed the connection without an answer")
                self.parser.receive_data(data)
            return event
        except h11.RemoteProtocolError as error:
            if self.begun:
                raise
            raise NoAnswer(f"what came is not HTTP/1.1: {error}") from error

    def _since_s(self) -> float:
        return time.monotonic() - (self.wire.started_s or time.monotonic())


def request_head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request's head, as they are given; Host only if it is not among them."""
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(name.lower() == "host" for name in headers):
        lines.append("Host: localhost:8080")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
