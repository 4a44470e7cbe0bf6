"""BID: WebSocket at /invocations-bidirectional-stream.

What a container says to a message is its own affair. So a message is taken as understood when it is answered, or not
refused; one that is said back unchanged must keep its kind and its bytes.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from local_test.conformance import websocket
from local_test.conformance.assertion import Broken, Claim, Group, expect, untestable
from local_test.conformance.bench import Bench
from local_test.conformance.checks.ping import ACCEPT_LIMIT_S
from local_test.conformance.conversation import (
    LEAST_LIMIT_S,
    NORMAL,
    ask,
    ask_in_parts,
    kind,
    opened,
    patience_s,
    speaker,
    words,
)
from local_test.conformance.server import Server, wait_for
from local_test.conformance.websocket import ABNORMAL, PATH, TEXT, Refused, WebSocket
from local_test.conformance.wire import NoAnswer

GROUP = Group(claim=Claim.BIDIRECTIONAL)

PONG_LIMIT_S = 60.0  # the platform pings once a minute: DG:host
SOCKETS = 64
PINGS = 10
CLOSED_SOCKETS = 20
FREE_LIMIT_S = 5.0
NO_STATUS = 1005  # RFC 6455, 7.4.1
RESERVED_OPCODE = 0x3
EVERY_BYTE = bytes(range(256))
CLIENTS_BREAK = (
    "The platform hands the client's frames on as they came; this client's stream ends with ModelStreamError."
)


@GROUP.must(
    "BID-01", "A WebSocket opens at /invocations-bidirectional-stream, its connection accepted within 250 ms.",
    source="DG:host", otherwise="InvokeEndpointWithBidirectionalStream fails for every client.",
    fix="Serve WebSocket (RFC 6455) at that path, on the port of /ping; hand Upgrade and Connection through the proxy.",
)  # fmt: skip
def opens(bench: Bench) -> str:
    server = speaker(bench)
    began_s = time.monotonic()
    try:
        with websocket.opened(server) as socket:
            opened_s = time.monotonic() - began_s
            accept = socket.answer.headers.get("sec-websocket-accept", "none")
            accepted_s = socket.wire.connect_s
    except Refused as refusal:
        raise Broken(str(refusal)) from refusal
    expect(accept == websocket.ACCEPT, f"Sec-WebSocket-Accept is {accept}, not what the key asks for")
    expect(accepted_s <= ACCEPT_LIMIT_S, f"the connection was accepted after {accepted_s * 1000:.0f} ms")
    return f"accepted after {accepted_s * 1000:.1f} ms, open after {opened_s * 1000:.1f} ms"


@GROUP.must(
    "BID-02", "Text is taken as text and binary as binary, also from a client that sends nothing but binary.",
    source="DG:host, FR", otherwise=f"{CLIENTS_BREAK} Without DataType every part is binary, also of text.",
    fix="Take both kinds of frames, and answer in the kind that the client sent.",
)  # fmt: skip
def both_kinds_are_taken(bench: Bench) -> str:
    text, data = words(bench), words(bench).encode()
    answers = [ask(bench, text), ask(bench, data)]
    if answers[1] in (text, data):
        expect(answers[1] == data, "binary was said back as text")
        expect(ask(bench, EVERY_BYTE) == EVERY_BYTE, "it says binary back, but not bytes that are no text")
    expect(answers[0] != data, "text was said back as binary")
    return f"text: {kind(answers[0])}, binary: {kind(answers[1])}"


@GROUP.must(
    "BID-03", "A message in fragments is taken as the one that it is.",
    source="DG:host", otherwise="A client's CompletionState PARTIAL becomes FIN 0: such a message is lost or cut.",
    fix="Join continuation frames (RFC 6455, 5.4) before the message is handled, or handle them in order.",
)  # fmt: skip
def fragments_are_joined(bench: Bench) -> str:
    seen = []
    for whole in (words(bench), words(bench).encode()):
        expected = ask(bench, whole)
        again = ask(bench, whole) if expected is not None else None
        answer = ask_in_parts(bench, whole, expected)
        if isinstance(expected, (str, bytes)) and expected == again:
            expect(
                answer == expected,
                f"a {kind(whole)} message in three frames was answered {answer!r:.80}, whole {expected!r:.80}",
            )
        expect(answer is not None or expected is None, f"a {kind(whole)} message in three frames was not answered")
        seen.append(f"{kind(whole)}: {kind(answer)}")
    return ", ".join(seen)


@GROUP.must(
    "BID-04", "A ping is answered with a pong that has its bytes, within the minute.",
    source="DG:host", otherwise="The platform pings once a minute, and ends the stream after five that got no pong.",
    fix="Answer pings by RFC 6455, 5.5.3, also while a message is handled; most libraries do while they are read from.",
)  # fmt: skip
def pongs_answer_pings(bench: Bench) -> str:
    limit_s = max(LEAST_LIMIT_S, bench.paced(PONG_LIMIT_S))
    with opened(bench) as socket:
        slowest_s = socket.pong_s(b"", limit_s)
        socket.send(words(bench))
        for number in range(5):
            slowest_s = max(slowest_s, socket.pong_s(f"conformance {number}".encode(), limit_s))
    return f"slowest of 6: {slowest_s * 1000:.1f} ms"


@GROUP.should(
    "BID-05", "When it ends a stream it says why: a Close frame with a code and a reason.",
    source="DG:host", otherwise="The client's ModelStreamError has nothing to go by.",
    fix="Close with a code of RFC 6455, 7.4 and a short reason, also after a client's fault and after an exception.",
)  # fmt: skip
def close_says_why(bench: Bench) -> str:
    for what, opcode, payload in (
        ("text that is not UTF-8", TEXT, b"\xff\xfe"),
        ("a frame of a reserved kind", RESERVED_OPCODE, b""),
    ):
        with opened(bench) as socket:
            socket.raw(opcode, payload)
            end = socket.end(patience_s(bench))
        if end is not None:
            expect(end.code != ABNORMAL, f"after {what} {end}")
            expect(end.code != NO_STATUS and end.reason, f"after {what} {end}: code and reason are wanted")
            return str(end)
    return untestable("neither text that is not UTF-8 nor a frame of a reserved kind makes it close")


@GROUP.should(
    "BID-06", "A query string is taken, and another path is served or refused by a status.",
    source="RT2", otherwise="A client's ModelQueryString or ModelInvocationPath ends in a failed handshake.",
    fix="Match the path without its query; let other paths lead to the same handler, or answer 404.",
)  # fmt: skip
def query_and_path_are_taken(bench: Bench) -> str:
    server = speaker(bench)
    refusal = refused(server, f"{PATH}?x=1&name=a%20b")
    expect(refusal is None, f"with a query {refusal}")
    elsewhere = refused(server, "/a/b?x=1")
    if elsewhere is None:
        return "any path"
    status = elsewhere.answer.status
    expect(400 <= status < 500, f"at /a/b?x=1 {elsewhere}")
    return f"other paths are refused with {status}"


@GROUP.should(
    "BID-07", "Many sockets are open at once, and /ping goes on.",
    source="inf DG:host", pains=(16,),
    otherwise="Some open streams make the instance look dead: it is replaced, and all streams end.",
    fix="Do not give each socket a worker of the few that answer /ping; use an event loop, or threads of their own.",
)  # fmt: skip
def many_sockets_leave_ping_alone(bench: Bench) -> str:
    server = speaker(bench)
    with ExitStack() as open_sockets:
        for number in range(SOCKETS):
            try:
                socket = open_sockets.enter_context(websocket.opened(server))
            except (Refused, NoAnswer) as error:
                raise Broken(f"socket {number + 1} of {SOCKETS}: {error}") from error
            socket.send(words(bench))
        pings = [server.ping() for _ in range(PINGS)]
    wrong = [ping for ping in pings if ping.status != 200]
    expect(not wrong, f"with {SOCKETS} sockets open {len(wrong)} of {PINGS} pings were not 200, such as {wrong[:1]}")
    return f"{SOCKETS} sockets, slowest of {PINGS} pings: {max(ping.seconds for ping in pings) * 1000:.0f} ms"


@GROUP.should(
    "BID-08", "A client's Close is answered, and what a socket held is given back, also after a reset.",
    source="inf DG:host", otherwise="Each stream leaves threads or descriptors behind.", pains=(34,),
    fix="Answer Close with Close, end the connection, and let the handler end when its client is gone.",
)  # fmt: skip
def closed_sockets_are_freed(bench: Bench) -> str:
    server = speaker(bench)
    with opened(bench) as socket:  # what it starts once is there from now on
        close_politely(bench, socket)
    before = server.holdings()
    for number in range(CLOSED_SOCKETS):
        with opened(bench) as socket:
            if number % 2:
                socket.wire.abort()
            else:
                close_politely(bench, socket)
    rest: dict[str, int] = {}

    def freed() -> bool:
        rest.update({name: count - before.get(name, count) for name, count in server.holdings().items()})
        return all(count < CLOSED_SOCKETS // 4 for count in rest.values())

    wait_for(
        freed,
        max(LEAST_LIMIT_S, bench.paced(FREE_LIMIT_S)),
        lambda: f"after {CLOSED_SOCKETS} sockets had ended it held more than before: {rest}",
    )
    return f"after {CLOSED_SOCKETS} sockets: {', '.join(f'{count:+d} {name}' for name, count in rest.items())}"


def refused(server: Server, path: str) -> Refused | None:
    """How a handshake at this path is refused; None if it is not."""
    try:
        with websocket.opened(server, path):
            return None
    except Refused as refusal:
        return refusal


def close_politely(bench: Bench, socket: WebSocket) -> None:
    """Send Close, and see it answered. Raises Broken if it is not."""
    socket.close(NORMAL, "done")
    end = socket.end(patience_s(bench))
    expect(end is not None, "a client's Close was not answered")
    expect(end is None or end.code == NORMAL, f"after a client's Close with 1000 {end}")
