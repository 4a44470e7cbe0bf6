"""What a check says over a WebSocket, and what it hears back. Used by checks/bidirectional.py.

Where the model itself opens none, an image that runs scripts is given one with a stream_fn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from local_test.conformance import websocket
from local_test.conformance.assertion import expect, untestable
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server
from local_test.conformance.speaker import speaking
from local_test.conformance.websocket import PATH, Closed, Refused, WebSocket, joined
from local_test.conformance.wire import NoAnswer

ANSWER_LIMIT_S = 3.0
LEAST_LIMIT_S = 1.0  # of a test's pace
NORMAL, GOING_AWAY = 1000, 1001  # RFC 6455, 7.4.1


@contextmanager
def opened(bench: Bench, path: str = PATH) -> Iterator[WebSocket]:
    """An open one. Raises Untestable where BID-01 is broken."""
    try:
        with websocket.opened(speaker(bench), path) as socket:
            yield socket
    except Refused as refusal:
        untestable(f"no WebSocket opens: {refusal}")


def speaker(bench: Bench) -> Server:
    """The server that the messages go to."""
    return speaking(bench, "converse.py", opens)


def opens(server: Server) -> bool:
    """Whether there is a WebSocket, or what refuses it knows of one."""
    try:
        with websocket.opened(server):
            return True
    except Refused as refusal:
        return refusal.answer.status != 404
    except NoAnswer:
        return True


def patience_s(bench: Bench) -> float:
    """How long an answer is waited for that may not come."""
    return max(LEAST_LIMIT_S, bench.paced(ANSWER_LIMIT_S))


def words(bench: Bench) -> str:
    """A message that it may understand: the sample's body, if that is text."""
    sample = bench.sample_or_none
    try:
        return sample.body.decode() if sample else "conformance"
    except UnicodeDecodeError:
        return "conformance"


def ask(bench: Bench, message: str | bytes) -> str | bytes | None:
    """The answer to one message on a socket of its own; None where it says nothing. Raises Broken if it is refused."""
    with opened(bench) as socket:
        socket.send(message)
        return answer_of(bench, socket, message)


def ask_in_parts(bench: Bench, whole: str | bytes, expected: str | bytes | None) -> str | bytes | None:
    """The same in three frames, a ping among them; the answers are joined until they are as long as expected."""
    third = max(1, len(whole) // 3)
    with opened(bench) as socket:
        socket.send(whole[:third], last=False)
        socket.ping(b"between")
        socket.send(whole[third : 2 * third], last=False)
        socket.send(whole[2 * third :])
        parts: list[str | bytes] = []
        while not parts or len(joined(parts)) < len(expected or ""):
            answer = answer_of(bench, socket, whole)
            if not isinstance(answer, (str, bytes)) or (parts and type(answer) is not type(parts[0])):
                break
            parts.append(answer)
        return joined(parts) if parts else None


def answer_of(bench: Bench, socket: WebSocket, message: str | bytes) -> str | bytes | None:
    """The next message. Raises Broken if the socket is closed instead, unless in peace."""
    end_s = time.monotonic() + patience_s(bench)
    while (heard := socket.hear(max(0.0, end_s - time.monotonic()))) is not None:
        if isinstance(heard, Closed):
            expect(heard.code in (NORMAL, GOING_AWAY), f"after a {kind(message)} message {heard}")
            return None
        if isinstance(heard, (str, bytes)):
            return heard
    return None


def kind(message: str | bytes | None) -> str:
    if message is None:
        return "no answer"
    return "text" if isinstance(message, str) else "binary"
