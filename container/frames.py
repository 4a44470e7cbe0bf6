"""WebSocket frames as bytes, a server's side of RFC 6455: what a client sends to events, messages to frames.

Called by line. No extension is spoken, so that the bits reserved for them are errors; docs/decisions has why by hand.
"""

from __future__ import annotations

import base64
import hashlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
MORE, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
CONTROL_LIMIT_BYTES = 125  # RFC 6455 5.5
REASON_LIMIT_BYTES = CONTROL_LIMIT_BYTES - 2

NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, ABNORMAL = 1000, 1001, 1002, 1005, 1006
BAD_DATA, REFUSED, TOO_BIG, FAILED, RESTART, TRY_LATER = 1007, 1008, 1009, 1011, 1012, 1013
# What may stand in a Close frame. Source: the WebSocket Close Code Number registry of IANA, RFC 6455 7.4
CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))


class BadFrame(Exception):
    """What came breaks the protocol: the code and the reason that our Close frame gives."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Close:
    """A Close frame; NO_CODE if it had none."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    data: bytes


Event = str | bytes | Ping | Pong | Close
"""str and bytes are whole messages, fragments joined."""


class Frames:
    """What comes over one connection, in pieces of any size."""

    def __init__(self, limit_bytes: int) -> None:
        """limit_bytes of one message; 0 means no limit."""
        self._limit_bytes = limit_bytes
        self._data = bytearray()
        self._parts: list[str] | list[bytes] | None = None  # of a message whose end has not come
        self._decoder = getincrementaldecoder("utf-8")()
        self._is_text = False
        self._size = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """What is whole by now. Raises BadFrame, after which nothing more may be fed."""
        self._data += data
        while (frame := self._next()) is not None:
            event = self._event(*frame)
            if event is not None:
                yield event

    def _next(self) -> tuple[int, bool, bytes] | None:
        """The next whole frame: its opcode, whether it is the last of its message, what it carries."""
        data = self._data
        if len(data) < 2:
            return None
        opcode, last, length = data[0] & 0x0F, bool(data[0] & 0x80), data[1] & 0x7F
        _check_head(opcode, last, length, reserved=data[0] & 0x70, masked=data[1] & 0x80)
        start = 2
        if length > CONTROL_LIMIT_BYTES:
            start = 4 if length == 126 else 10
            if len(data) < start:
                return None
            length = _long_length(data[2:start])
        self._check_order(opcode, length)
        end = start + 4 + length
        if len(data) < end:
            return None
        payload = _unmasked(data[start : start + 4], data[start + 4 : end])
        del data[:end]
        return opcode, last, payload

    def _check_order(self, opcode: int, length: int) -> None:
        """As soon as the head of a frame is there: nothing has to be held of what is refused anyway."""
        if opcode >= CLOSE:
            return
        if (opcode == MORE) != (self._parts is not None):
            raise BadFrame(PROTOCOL_ERROR, "a continuation of nothing, or a new message within another")
        if 0 < self._limit_bytes < self._size + length:
            raise BadFrame(TOO_BIG, f"the message is over the limit of {self._limit_bytes} bytes")

    def _event(self, opcode: int, last: bool, payload: bytes) -> Event | None:
        if opcode == CLOSE:
            return _close(payload)
        if opcode >= PING:
            return Ping(payload) if opcode == PING else Pong(payload)
        if opcode != MORE:
            self._is_text, self._parts = opcode == TEXT, []
        self._size += len(payload)
        self._add(payload, last)
        return self._message() if last else None

    def _add(self, payload: bytes, last: bool) -> None:
        if not self._is_text:
            self._parts.append(payload)  # type: ignore[union-attr, arg-type]
            return
        try:
            self._parts.append(self._decoder.decode(payload, last))  # type: ignore[union-attr, arg-type]
        except UnicodeDecodeError as error:
            raise BadFrame(BAD_DATA, "a text message is not UTF-8") from error

    def _message(self) -> str | bytes:
        parts, self._parts, self._size = self._parts, None, 0
        return ("" if self._is_text else b"").join(parts)  # type: ignore[arg-type]


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame; a server's are not masked."""
    length = len(payload)
    if length <= CONTROL_LIMIT_BYTES:
        head = bytes((0x80 | opcode, length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big")
    return head + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A Close frame, its reason cut to what fits. NO_CODE stands for none, which is how such a one is answered."""
    if code == NO_CODE:
        return frame(CLOSE, b"")
    told = reason.encode("utf-8", "replace")[:REASON_LIMIT_BYTES].decode("utf-8", "ignore")
    return frame(CLOSE, code.to_bytes(2, "big") + told.encode())


def accept(key: str) -> str:
    """What Sec-WebSocket-Accept answers to Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


def _check_head(opcode: int, last: bool, length: int, *, reserved: int, masked: int) -> None:
    if reserved:
        raise BadFrame(PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on")
    if MORE + 2 < opcode < CLOSE or opcode > PONG:
        raise BadFrame(PROTOCOL_ERROR, f"frames of kind {opcode:#x} do not exist")
    if not masked:
        raise BadFrame(PROTOCOL_ERROR, "a client's frames have to be masked")
    if opcode >= CLOSE and (not last or length > CONTROL_LIMIT_BYTES):
        raise BadFrame(PROTOCOL_ERROR, "a control frame has at most 125 bytes and no fragments")


def _long_length(data: bytearray) -> int:
    length = int.from_bytes(data, "big")
    shortest = CONTROL_LIMIT_BYTES + 1 if len(data) == 2 else 1 << 16
    if length < shortest or length >> 63:
        raise BadFrame(PROTOCOL_ERROR, "the length of a frame is not written as it should be")
    return length


def _unmasked(mask: bytearray, payload: bytearray) -> bytes:
    """Four bytes at a time, the last ones filled up and cut again."""
    length = len(payload)
    payload += bytes(-length % 4)
    words = np.frombuffer(payload, np.uint32) ^ np.frombuffer(mask, np.uint32)
    return words.tobytes()[:length] if length % 4 else words.tobytes()


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in CODES:
        raise BadFrame(PROTOCOL_ERROR, "a Close frame without a code that may be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError as error:
        raise BadFrame(BAD_DATA, "the reason of a Close frame is not UTF-8") from error
