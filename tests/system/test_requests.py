"""Every fixture of tests/requests against the real server: whole, line by line and byte by byte.

The answers must be the ones that the fixture states, problem JSON with the id of the request where they are errors,
and none beyond them; then the connection must serve on, or be closed, as stated. At the end the workers that began
are alive and the log has neither traceback nor alert.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.requests import Fixture, read_all
from tests.requests.made import make_all
from tests.system.replies import Reply, check_problem
from tests.system.server import Server
from tests.system.wire import Wire

FIXTURES = [*read_all(), *make_all()]
SHORT = [each for each in FIXTURES if len(each.sent) <= 600]
PING = b"GET /ping HTTP/1.1\r\nHost: model\r\n\r\n"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
PAUSE_S = 0.001  # long enough for nginx to read what there is


def name_of(fixture: Fixture) -> str:
    return fixture.name


@pytest.mark.parametrize("fixture", FIXTURES, ids=name_of)
def test_sent_whole(sample: Server, fixture: Fixture) -> None:
    converse(sample, fixture, [fixture.sent])


@pytest.mark.parametrize("fixture", SHORT, ids=name_of)
def test_sent_line_by_line(sample: Server, fixture: Fixture) -> None:
    converse(sample, fixture, fixture.sent.splitlines(keepends=True), PAUSE_S)


@pytest.mark.parametrize("fixture", SHORT, ids=name_of)
def test_sent_byte_by_byte(sample: Server, fixture: Fixture) -> None:
    converse(sample, fixture, re.findall(rb"(?s).", fixture.sent))


def converse(server: Server, fixture: Fixture, pieces: Iterable[bytes], pause_s: float = 0.0) -> None:
    """Send the pieces; assert each answer, what it says, and the connection's state after them."""
    with Wire(server.port) as wire:
        wire.send(pieces, pause_s)
        if fixture.then == "abort":
            return wire.abort()
        if fixture.then == "half-close":
            wire.half_close()
        replies = [wire.reply(fixture.sent.partition(b" ")[0].decode("latin-1")) for _ in fixture.answers]
        assert list(fixture.answers) == [reply.status for reply in replies]
        check_end(wire, fixture)
    for reply in replies:
        check_reply(reply)
    for words in fixture.says:
        assert words in replies[-1].body.decode()


def check_end(wire: Wire, fixture: Fixture) -> None:
    """What comes after: nothing where the server is done with this connection, else the answer to one more request."""
    wire.send([PING])
    if fixture.closed:
        wire.half_close()  # nginx reads on for a while, so that its answer is not lost, unless the client is done too
        assert wire.rest() == b""
        return
    reply = wire.reply()
    assert (reply.status, reply.body) == (200, b"")


def check_reply(reply: Reply) -> None:
    if reply.status >= 400 and reply.body:
        check_problem(reply)
    elif reply.body:
        assert reply.content_type in ("application/json", "text/csv", METRICS)
        assert reply.request_id


def test_the_corpus_has_at_least_200_different_fixtures() -> None:
    assert len({(each.sent, each.then) for each in FIXTURES}) == len(FIXTURES) >= 200
    assert len({each.name for each in FIXTURES}) == len(FIXTURES)
