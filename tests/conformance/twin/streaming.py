"""Answers in parts: each is a chunk, and sent at once. Called by web for a body that is an iterator."""

import json
import time

from faults import faulty

PAUSE_S = 0.05  # between the parts of the twin's own model
CUT_AFTER_S = 1.2
PROXY_BUFFER_BYTES = 8


def wanted(request):
    """Whether the twin's own model is asked for a stream: {"instances": [...], "stream": true}."""
    return b'"stream": true' in request.body


def lines(values):
    for value in values:
        yield f"{json.dumps(value)}\n".encode()
        time.sleep(PAUSE_S)


def write(handler, body):
    """The rest of the head, then the parts."""
    chunked = not faulty("STR-01")
    handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
    handler.end_headers()
    try:
        for part in held_back(iter([body]) if isinstance(body, bytes) else body):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
    except Exception as error:
        print(f"the stream broke: {error}", flush=True)
        handler.close_connection = True
        if not faulty("STR-04"):
            return
    if chunked:
        handler.wfile.write(b"0\r\n\r\n")


def held_back(parts):
    """The parts, as a server would give them on that breaks a promise."""
    if faulty("STR-02"):
        return late(parts)
    if faulty("STR-03"):
        return cut(parts)
    return buffered(parts) if faulty("STR-06") else parts


def late(parts):
    """All but single bytes at the end."""
    kept = []
    for part in parts:
        if len(part) == 1:
            yield part
        else:
            kept.append(part)
    yield from kept


def cut(parts):
    began_s = time.monotonic()
    for part in parts:
        if time.monotonic() - began_s > CUT_AFTER_S:
            raise TimeoutError("the whole answer took too long")
        yield part


def buffered(parts):
    kept = b""
    for part in parts:
        kept += part
        if len(kept) >= PROXY_BUFFER_BYTES:
            yield kept
            kept = b""
    yield kept
