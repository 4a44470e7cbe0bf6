"""The checker's WebSocket: what a server may send, and what it must not make the checker do."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from local_test.conformance.assertion import Broken
from local_test.conformance.websocket import Closed, WebSocket
from local_test.conformance.wire import Answer, Wire

SWITCHED = Answer(101, {}, b"", 0.0, 0.0)


@pytest.fixture
def ends() -> Iterator[tuple[WebSocket, socket.socket]]:
    """The checker's end, and the server's."""
    ours, theirs = socket.socketpair()
    with Wire(ours, 0.0, 5.0) as wire, theirs:
        yield WebSocket(wire, SWITCHED), theirs


def test_frames_of_a_message_are_joined_and_frames_between_answered(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"\x01\x02ab" + b"\x89\x01!" + b"\x80\x01c")
    assert ours.hear(5) == "abc"
    pong = theirs.recv(64)
    assert (pong[:2], len(pong)) == (b"\x8a\x81", 7)


def test_no_word_in_time_is_none(ends: tuple[WebSocket, socket.socket]) -> None:
    assert ends[0].hear(0.01) is None


def test_close_has_its_code_and_reason(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"\x88\x06\x03\xf3full")
    assert ours.end(5) == Closed(1011, "full")


def test_the_end_of_the_connection_is_1006(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    assert ours.end(5) == Closed(1006, "")
    assert ours.end(5) == Closed(1006, "")


def test_words_after_the_servers_close_are_not_sent(ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"\x88\x02\x03\xe8")
    assert ours.end(5) == Closed(1000, "")
    ours.send("too late")
    assert ours.hear(0.01) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x83\x00",
        b"\x80\x01a",
        b"\x81\x02\xff\xfe",
        b"\x81\x81\x00\x00\x00\x00a",
        b"\x09\x00",
    ],
    ids=["http", "reserved", "continuation", "not-utf8", "masked", "fragmented-ping"],
)
def test_what_is_not_websocket_is_the_servers_fault(nonsense: bytes, ends: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(nonsense)
    with pytest.raises(Broken, match="not WebSocket"):
        ours.hear(5)
