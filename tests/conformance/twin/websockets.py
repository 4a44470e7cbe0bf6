"""The WebSocket route: says each message back, of its kind. RFC 6455 by hand, as far as a server of ours needs it."""

import base64
import hashlib
import struct
import threading
import time

from faults import faulty
from web import Refused, Response, route

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MORE, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LIMIT_BYTES = 16 * 2**20
OPEN = set()
"""Handlers whose sockets are open."""


class Violation(Exception):
    """What the client sent is not allowed: a code and a reason for Close."""


@route("GET", "(/invocations-bidirectional-stream|/a/b)")
def serve(request):
    if request.header("Upgrade").lower() != "websocket":
        raise Refused(426, "open a WebSocket here", Upgrade="websocket")
    if request.query and faulty("BID-06"):
        raise Refused(404)
    handler = request.handler
    handler.close_connection = True
    key = request.header("Sec-WebSocket-Key") + GUID
    accept = hashlib.sha1(key.encode(), usedforsecurity=False).digest()
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", "nonsense" if faulty("BID-01") else base64.b64encode(accept).decode())
    handler.end_headers()
    OPEN.add(handler)
    try:
        talk(handler)
    except (OSError, EOFError):
        print("the client is gone", flush=True)
    finally:
        OPEN.discard(handler)
    if faulty("BID-08"):
        threading.Event().wait(60)


def talk(handler):
    """Until one side closes."""
    try:
        while (message := next_message(handler)) is not None:
            opcode, data = message
            if opcode == TEXT:
                text_of(data)
            if opcode == BINARY and faulty("text-only"):
                raise Violation(1003, "only text is taken")
            if not faulty("silent"):
                send(handler, TEXT if faulty("BID-02") else opcode, data)
    except Violation as violation:
        code, reason = violation.args
        send(handler, CLOSE, b"" if faulty("BID-05") else struct.pack("!H", code) + reason.encode())


def next_message(handler):
    """Its opcode and data; None after Close, which is answered. Pings in between are answered."""
    kind, data = None, b""
    while True:
        last, opcode, payload = read_frame(handler.rfile)
        if opcode == CLOSE:
            return send(handler, CLOSE, payload[:2])
        if opcode == PING and not faulty("BID-04"):
            send(handler, PONG, payload)
        if opcode >= CLOSE:
            continue
        if (opcode == MORE) != (kind is not None):
            raise Violation(1002, "a continuation without a beginning, or a beginning too many")
        kind = kind or opcode
        data = payload if faulty("BID-03") else data + payload
        if len(data) > LIMIT_BYTES:
            raise Violation(1009, f"a message may have {LIMIT_BYTES} bytes")
        if last:
            return kind, data


def read_frame(stream):
    first, second = exactly(stream, 2)
    opcode, length = first & 0x0F, second & 0x7F
    if first & 0x70 or opcode not in (MORE, TEXT, BINARY, CLOSE, PING, PONG):
        raise Violation(1002, f"there is no frame of kind {first & 0x7F}")
    if not second & 0x80:
        raise Violation(1002, "a client masks its frames")
    if length > 125:
        if opcode >= CLOSE:
            raise Violation(1002, "a control frame has 125 bytes at most")
        size, form = (2, "!H") if length == 126 else (8, "!Q")
        (length,) = struct.unpack(form, exactly(stream, size))
    if length > LIMIT_BYTES:
        raise Violation(1009, f"a frame may have {LIMIT_BYTES} bytes")
    mask = exactly(stream, 4)
    return bool(first & 0x80), opcode, unmasked(exactly(stream, length), mask)


def exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def unmasked(data, mask):
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


def text_of(data):
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Violation(1007, f"text is UTF-8: {error.reason}") from error


def send(handler, opcode, data):
    length = len(data)
    if length < 126:
        head = bytes([length])
    else:
        head = bytes([126]) + struct.pack("!H", length) if length < 2**16 else bytes([127]) + struct.pack("!Q", length)
    handler.wfile.write(bytes([0x80 | opcode]) + head + data)


if faulty("BID-07"):

    @route("GET", "/ping")
    def starved(request):
        if len(OPEN) > 8:
            time.sleep(2.5)
        return Response(200)
