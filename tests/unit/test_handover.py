"""Connections given from one process to another: all of them arrive once, unread, and none is kept."""

from __future__ import annotations

import socket

import pytest

from container.handover import Control, Handover, Inlet, pair, receive, send


def test_a_connection_arrives_with_what_was_sent_on_it() -> None:
    handover = Handover()
    inlet = Inlet(handover.exit)
    client, server = socket.socketpair()
    client.sendall(b"POST")
    assert server.recv(10, socket.MSG_PEEK) == b"POST"
    assert handover.put(server)
    server.close()
    assert inlet.waiting() == 1
    taken, _ = inlet.accept()
    assert (taken.recv(10), inlet.waiting()) == (b"POST", 0)
    taken.sendall(b"200")
    assert client.recv(10) == b"200"
    taken.close()
    assert client.recv(10) == b"", "nobody else has it open"


def test_an_empty_queue_is_no_error_of_its_own() -> None:
    with pytest.raises(BlockingIOError):
        Inlet(Handover().exit).accept()


def test_a_full_queue_takes_no_more() -> None:
    handover = Handover()
    client, server = socket.socketpair()
    count = 0
    while handover.put(server):
        count += 1
    assert count > 200
    Inlet(handover.exit).accept()
    assert handover.put(server)
    client.close()


def test_messages_stay_apart_and_carry_descriptors() -> None:
    near, far = pair()
    send(near, {"a": 1}, near.fileno(), far.fileno())
    send(near, {"b": "ü" * 5000})
    message, descriptors = receive(far)
    assert (message, len(descriptors)) == ({"a": 1}, 2)
    assert receive(far) == ({"b": "ü" * 5000}, [])
    for descriptor in descriptors:
        socket.socket(fileno=descriptor).close()
    near.close()
    assert receive(far) == (None, [])


def test_word_to_close_and_the_end_of_the_keeper_are_the_same() -> None:
    for last_word in (lambda sock: send(sock, {"do": "close"}), lambda sock: sock.close()):
        keeper, channel = pair()
        closed: list[bool] = []
        control = Control(channel, lambda closed=closed: closed.append(True))
        last_word(keeper)
        with pytest.raises(BlockingIOError):
            control.accept()
        assert closed == [True]
