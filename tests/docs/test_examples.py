"""Each ```http block of docs/contract.md is sent to a real server, which must answer as the block says.

Each ```websocket block is a conversation with one.

Blocks of a section with ```python blocks go to a server of the predictor.py that these make; others to the sample.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import Parser

import pytest

from tests.docs.pages import CONTRACT, Section, sections
from tests.system.server import Server
from tests.system.websocket import WebSocket

Serve = Callable[..., Server]

WITH_HANDLERS = [each for each in sections(CONTRACT) if each.blocks("python")]
OF_THE_SAMPLE = [
    pytest.param(block, id=f"{each.title}-{number}")
    for each in sections(CONTRACT)
    if not each.blocks("python")
    for number, block in enumerate(each.blocks("http"), start=1)
]


@dataclass(frozen=True)
class Exchange:
    """A request, and the answer that the page promises."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str


def parse(block: str) -> Exchange:
    request, _, answer = block.partition("\n\nHTTP/1.1 ")
    line, headers, body = split(request)
    status, answer_headers, answer_body = split(answer)
    method, path = line.split()
    return Exchange(method, path, headers, body, int(status.split()[0]), answer_headers, answer_body)


def split(message: str) -> tuple[str, dict[str, str], str]:
    """First line, headers and body."""
    head, _, body = message.partition("\n\n")
    line, _, headers = head.partition("\n")
    return line, dict(Parser().parsestr(headers).items()), body


@pytest.mark.parametrize("block", OF_THE_SAMPLE)
def test_the_sample_answers_as_the_contract_shows(sample: Server, block: str) -> None:
    ask(sample, parse(block))


@pytest.mark.parametrize("section", WITH_HANDLERS, ids=lambda section: section.title)
def test_the_handlers_of_the_contract_answer_as_it_shows(serve: Serve, section: Section) -> None:
    server = serve(predictor="\n".join(section.blocks("python")))
    server.wait_ready()
    assert section.blocks("http") or section.blocks("websocket")
    for block in section.blocks("http"):
        ask(server, parse(block))
    for block in section.blocks("websocket"):
        converse(server, block)


def converse(server: Server, block: str) -> None:
    """> is said, < must be heard."""
    with WebSocket(server.port) as opened:
        for line in block.splitlines():
            direction, _, words = line.partition(" ")
            if direction == ">":
                opened.say(words)
            elif words.startswith("Close "):
                assert opened.closed()[0] == int(words.removeprefix("Close "))
            else:
                assert opened.hear() == words


def ask(server: Server, exchange: Exchange) -> None:
    """Send the request; assert status, the headers that are shown, and the body."""
    reply = server.request(exchange.method, exchange.path, exchange.body.encode(), exchange.headers)
    answered = {name: reply.headers[name] for name in exchange.answer_headers}
    assert (reply.status, answered) == (exchange.status, exchange.answer_headers), reply
    if reply.status == 200:
        assert reply.body.decode() == exchange.answer
    else:
        assert reply.json() == {**json.loads(exchange.answer), "request_id": reply.request_id}
