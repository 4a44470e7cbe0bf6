"""A WebSocket client by wsproto, which shares no code with us. Used by test_bidirectional*.py and tests/docs."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

PATH = "/invocations-bidirectional-stream"
TIMEOUT_S = 20.0


class Rejected(Exception):
    """The handshake's answer is not 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"{status} {body.decode()}")
        self.status = status
        self.headers = headers
        self.body = body


class WebSocket:
    """One of them, open."""

    def __init__(self, port: int, path: str = PATH, headers: dict[str, str] | None = None) -> None:
        """Raises Rejected."""
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self.events: list[Event] = []
        self._parts: list[str] | list[bytes] = []
        given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.send(Request(host="model.aws.local:8080", target=path, extra_headers=given))
        self.headers = self._accepted()

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.socket.close()

    def send(self, event: Event) -> None:
        self.socket.sendall(self.connection.send(event))

    def say(self, message: str | bytes, *, last: bool = True) -> None:
        """Send a message, or a fragment of one."""
        kind = TextMessage if isinstance(message, str) else BytesMessage
        self.send(kind(data=message, message_finished=last))

    def hear(self) -> str | bytes:
        """The next message. Raises AssertionError when something else comes."""
        parts: list[str | bytes] = []
        while True:
            event = self.next()
            if isinstance(event, Ping):
                self.send(event.response())
                continue
            assert isinstance(event, Message), event
            parts.append(event.data)
            if event.message_finished:
                return parts[0][:0].join(parts)  # type: ignore[arg-type]

    def ask(self, message: str | bytes) -> str | bytes:
        self.say(message)
        return self.hear()

    def pong_s(self, data: bytes) -> float:
        """How long a ping waits for its pong."""
        began_s = time.monotonic()
        self.send(Ping(payload=data))
        event = self.next()
        assert isinstance(event, Pong), event
        assert bytes(event.payload) == data
        return time.monotonic() - began_s

    def close(self, code: int = 1000, reason: str = "") -> tuple[int, str | None]:
        """Say Close; what is answered to it."""
        self.send(CloseConnection(code, reason))
        event = self.next()
        assert isinstance(event, CloseConnection), event
        return event.code, event.reason

    def closed(self) -> tuple[int, str]:
        """The server's Close, awaited and answered, and then its end of the connection."""
        event = self.next()
        while isinstance(event, (Message, Pong)):
            event = self.next()
        assert isinstance(event, CloseConnection), event
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            self.send(event.response())
        self.ended()
        return event.code, event.reason or ""

    def ended(self) -> None:
        """Wait for the end of the connection."""
        while self.socket.recv(65536):
            pass

    def abort(self) -> None:
        """End with RST, as a client that was killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def next(self) -> Event:
        """The next event, awaited. Raises EOFError at the end."""
        while not self.events:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.connection.receive_data(data)
            self.events += self.connection.events()
        return self.events.pop(0)

    def _accepted(self) -> dict[str, str]:
        event = self.next()
        if isinstance(event, AcceptConnection):
            return {name.decode().title(): value.decode() for name, value in event.extra_headers}
        assert isinstance(event, RejectConnection), event
        body, answered = b"", {name.decode().title(): value.decode() for name, value in event.headers}
        while event.has_body and len(body) < int(answered["Content-Length"]):
            part = self.next()
            assert isinstance(part, RejectData)
            body += part.data
        self.socket.close()
        raise Rejected(event.status_code, answered, body)
