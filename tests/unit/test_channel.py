"""Messages between processes: apart from each other, with open files."""

from __future__ import annotations

import socket

import pytest

from container.channel import Control, pair, receive, send


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
