"""A WebSocket to the server under test: single frames go out, whole messages come in, nothing waits longer than told.

Used by checks/bidirectional.py. wsproto parses the frames; the frames that it refuses to send are made here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError, ProtocolError

from local_test.conformance.assertion import Broken
from local_test.conformance.server import Server
from local_test.conformance.wire import Answer, NoAnswer, Wire, request_head

PATH = "/invocations-bidirectional-stream"
KEY = base64.b64encode(b"conformance here").decode()
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 4.2.2
ACCEPT = base64.b64encode(hashlib.sha1((KEY + GUID).encode(), usedforsecurity=False).digest()).decode()
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
OPEN_LIMIT_S = 10.0
MESSAGE_LIMIT_BYTES = 32 * 10**6
TEXT = 0x1
ABNORMAL = 1006  # RFC 6455, 7.4.1: the connection went down without a Close frame


@dataclass(frozen=True)
class Closed:
    """The server has ended it."""

    code: int
    """1005: its Close frame has no code; 1006: there was no Close frame."""
    reason: str

    def __str__(self) -> str:
        if self.code == ABNORMAL:
            return "it dropped the connection without a Close frame"
        return f"it closed with {int(self.code)} {self.reason}".rstrip()


Heard = str | bytes | Pong | Closed


class WebSocket:
    """One that is open."""

    def __init__(self, wire: Wire, answer: Answer) -> None:
        self.wire = wire
        self.answer = answer
        """The one that opened it."""
        self._protocol = Connection(ConnectionType.CLIENT)
        self._parts: list[str | bytes] = []
        self._heard: list[Heard] = []

    def send(self, data: str | bytes, *, last: bool = True) -> None:
        """One frame, text or binary; the frames of a message but its last one have last=False."""
        if isinstance(data, str):
            self._send(TextMessage(data=data, message_finished=last))
        else:
            self._send(BytesMessage(data=data, message_finished=last))

    def ping(self, payload: bytes) -> None:
        self._send(Ping(payload=payload))

    def close(self, code: int, reason: str) -> None:
        """Send Close; the connection stays until the server ends it, or ours does."""
        self._send(CloseConnection(code=code, reason=reason))

    def raw(self, opcode: int, payload: bytes) -> None:
        """A frame that may break the rules: of any opcode below 16, at most 125 bytes."""
        self.wire.send(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)  # a mask of zeros

    def hear(self, timeout_s: float) -> Heard | None:
        """The next message, pong or end; None if none comes in time. The server's pings are answered meanwhile."""
        self.wire.deadline_s = time.monotonic() + timeout_s
        while not self._heard:
            try:
                data = self.wire.receive()
            except NoAnswer:
                return None
            self._take(data)
        return self._heard.pop(0)

    def pong_s(self, payload: bytes, limit_s: float) -> float:
        """Ping, and the seconds until its pong. Raises Broken without one."""
        self._send(Ping(payload=payload))
        began_s = time.monotonic()
        while (heard := self.hear(max(0.0, began_s + limit_s - time.monotonic()))) is not None:
            if isinstance(heard, Closed):
                raise Broken(f"after a ping {heard}")
            if isinstance(heard, Pong) and bytes(heard.payload) == payload:
                return time.monotonic() - began_s
        raise Broken(f"no pong within {limit_s:g} s to a ping with {payload!r}")

    def end(self, limit_s: float) -> Closed | None:
        """How the server closes it; None if it does not."""
        end_s = time.monotonic() + limit_s
        while (heard := self.hear(max(0.0, end_s - time.monotonic()))) is not None:
            if isinstance(heard, Closed):
                return heard
        return None

    def _send(self, event: Event) -> None:
        self.wire.deadline_s = time.monotonic() + OPEN_LIMIT_S
        with contextlib.suppress(LocalProtocolError):  # it has just been closed: hear() tells
            self.wire.send(self._protocol.send(event))

    def _take(self, data: bytes) -> None:
        if not data or self._protocol.state is ConnectionState.CLOSED:
            self._heard.append(Closed(ABNORMAL, ""))
            return
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                self._on(event)
        except (ProtocolError, AssertionError) as error:
            raise Broken(f"what it sent is not WebSocket: {error}") from error

    def _on(self, event: Event) -> None:
        if isinstance(event, Message):
            self._on_part(event)
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, Pong):
            self._heard.append(event)
        elif isinstance(event, CloseConnection):
            if self._protocol.state is ConnectionState.OPEN:  # wsproto's word for frames that it cannot read
                raise Broken(f"what it sent is not WebSocket: {event.reason}")
            self._heard.append(Closed(event.code, event.reason or ""))

    def _on_part(self, event: Message[Any]) -> None:
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        if sum(map(len, self._parts)) > MESSAGE_LIMIT_BYTES:
            raise Broken(f"it sent a message of more than {MESSAGE_LIMIT_BYTES} bytes")
        if event.message_finished:
            self._heard.append(joined(self._parts))
            self._parts = []


def joined(parts: list[str | bytes]) -> str | bytes:
    """Parts of one kind as one."""
    return type(parts[0])().join(parts)  # type: ignore[arg-type]


@contextmanager
def opened(server: Server, path: str = PATH) -> Iterator[WebSocket]:
    """A WebSocket. Raises Refused if the server answers otherwise, NoAnswer if it does not answer."""
    with server.connect(OPEN_LIMIT_S) as wire:
        wire.send(request_head("GET", path, HANDSHAKE))
        answer = wire.answer("GET")
        if answer.status != 101:
            raise Refused(answer)
        yield WebSocket(wire, answer)


class Refused(Exception):
    """The handshake was not answered with 101."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"the handshake was answered {answer}")
        self.answer = answer
