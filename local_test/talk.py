"""Says each argument over a WebSocket and prints what comes back: python -m local_test.talk apple plum

For a server of `make serve` whose model has a stream_fn, as a client of InvokeEndpointWithBidirectionalStream would.
Waits for one answer after each message. RFC 6455, as far as that needs it: texts, and the server's Close.
"""

from __future__ import annotations

import argparse
import base64
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

PATH = "/invocations-bidirectional-stream"
ANSWER_LIMIT_S = 60.0
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
LAST = 0x80  # the bit FIN, and in the second byte MASK


def main() -> int:
    """0; 1 when no WebSocket opens, or the server ends it for a fault."""
    parser = argparse.ArgumentParser(prog="python -m local_test.talk", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("messages", nargs="+", metavar="MESSAGE")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")), help="default: PORT, or 8080")
    given = parser.parse_args()
    try:
        with socket.create_connection(("127.0.0.1", given.port), ANSWER_LIMIT_S) as connection:
            return converse(connection, given.messages)
    except OSError as error:
        print(f"talk: no answer from port {given.port}: {error}", file=sys.stderr)
        return 1


def converse(connection: socket.socket, messages: list[str]) -> int:
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    stream = connection.makefile("rb")
    head = list(iter(lambda: stream.readline().strip(), b""))
    if not head or b" 101 " not in head[0] + b" ":
        print(f"talk: no WebSocket: {head[0].decode() if head else 'no answer'}", file=sys.stderr)
        return 1
    heard = frames(connection, stream)
    for message in messages:
        connection.sendall(frame(TEXT, message.encode()))
        kind, data = next(heard)
        if kind == CLOSE:
            print(f"talk: closed with {closed(data)}", file=sys.stderr)
            return 1
        print(data.decode("utf-8", "replace"))
    connection.sendall(frame(CLOSE, struct.pack("!H", 1000)))
    return 0


def frames(connection: socket.socket, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Whole messages and Close, each with its kind; pings are answered."""
    message, kind = b"", 0
    while True:
        first, length = exactly(stream, 2)
        if length >= 126:
            length = int.from_bytes(exactly(stream, 2 if length == 126 else 8), "big")
        data, opcode = exactly(stream, length), first & 0x0F
        if opcode == PING:
            connection.sendall(frame(PONG, data))
        elif opcode == CLOSE:
            yield CLOSE, data
        elif opcode != PONG:
            message, kind = message + data, opcode or kind
            if first & LAST:
                yield kind, message
                message = b""


def exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise ConnectionError("the connection has ended")
    return data


def frame(opcode: int, data: bytes) -> bytes:
    """A client's frame: masked, which is all that the mask of zeros is for."""
    length = len(data)
    size = bytes([LAST | length]) if length < 126 else struct.pack("!BH", LAST | 126, length)
    if length >= 2**16:
        size = struct.pack("!BQ", LAST | 127, length)
    return bytes([LAST | opcode]) + size + bytes(4) + data


def closed(data: bytes) -> str:
    return f"{int.from_bytes(data[:2], 'big')} {data[2:].decode('utf-8', 'replace')}" if data else "no code"


if __name__ == "__main__":
    sys.exit(main())
