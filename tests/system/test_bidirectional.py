"""BID-*: WebSockets through the real nginx and both kinds of worker, asked by a client that shares no code with us."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from wsproto.frame_protocol import Opcode

from tests.system.client import wait_until
from tests.system.replies import LEAKS
from tests.system.server import OBEDIENT, Server
from tests.system.websocket import PATH, Rejected, WebSocket

TALKER = (Path(__file__).parent / "talker.py").read_text()
SOCKETS = 200
PING_LIMIT_S = 0.25  # the platform's is 2 s
EVERY_BYTE = bytes(range(256))


@pytest.fixture(scope="module", params=["loop", "gthread"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    env = {"SERVING_WORKER_CLASS": request.param, "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"}
    server = Server(predictor=TALKER, env=env, expect=("as asked",))
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


def conversation(server: Server, opened: WebSocket) -> dict[str, Any]:
    """The log line of a conversation that has ended."""
    wanted = opened.headers["X-Request-Id"]

    def told() -> list[dict[str, Any]]:
        return [each for each in server.log_events("conversation") if each["request_id"] == wanted]

    return wait_until(told, 10, "the conversation is logged")[0]


def test_bid_01_an_upgrade_is_answered_at_once(server: Server) -> None:
    began_s = time.monotonic()
    with WebSocket(server.port) as opened:
        assert time.monotonic() - began_s < PING_LIMIT_S
        assert re.fullmatch("[0-9a-f]{32}", opened.headers["X-Request-Id"])
        assert "Sec-Websocket-Extensions" not in opened.headers, "compression is not offered"


@pytest.mark.parametrize("message", ["", "text", "\N{SNOWMAN} é", "x" * 70_000, b"", b"bytes", EVERY_BYTE * 4000])
def test_bid_02_a_message_stays_what_it_is(server: Server, message: str | bytes) -> None:
    with WebSocket(server.port) as opened:
        assert opened.ask(message) == message


def test_bid_02_messages_stay_in_order(server: Server) -> None:
    with WebSocket(server.port) as opened:
        sent: list[str | bytes] = [str(number) if number % 3 else str(number).encode() for number in range(500)]
        for message in sent:
            opened.say(message)
        assert [opened.hear() for _ in sent] == sent


def test_bid_03_fragments_are_one_message(server: Server) -> None:
    """A ping in between is answered in between: RFC 6455 5.4."""
    with WebSocket(server.port) as opened:
        for parts in (["a", "", "b\N{SNOWMAN}"], [b"\x00", b"\xff"]):
            opened.say(parts[0], last=False)
            opened.pong_s(b"in between")
            for part in parts[1:-1]:
                opened.say(part, last=False)
            opened.say(parts[-1])
            assert opened.hear() == parts[0][:0].join(parts)  # type: ignore[arg-type]


def test_bid_03_a_letter_may_be_cut_by_fragments(server: Server) -> None:
    with WebSocket(server.port) as opened:
        snowman = "\N{SNOWMAN}".encode()
        raw(opened, Opcode.TEXT, snowman[:1], last=False)
        raw(opened, Opcode.CONTINUATION, snowman[1:])
        assert opened.hear() == "\N{SNOWMAN}"


def test_bid_04_a_ping_is_answered_while_stream_fn_waits(server: Server) -> None:
    with WebSocket(server.port) as opened:
        assert max(opened.pong_s(data) for data in (b"", b"x" * 125)) < PING_LIMIT_S


def test_bid_04_a_ping_is_answered_while_it_waits_for_its_turn(server: Server) -> None:
    """1. Requests keep the model busy.  2. stream_fn waits with them.  Result: the pong does not wait so long."""
    with WebSocket(server.port) as opened:
        busy = [server.invoke_later({"s": 0.3}) for _ in range(8)]
        opened.say("{}")
        assert opened.pong_s(b"1") < 1.5
        assert [each.result().status for each in busy] == [200] * 8


def test_a_value_is_sent_as_json(server: Server) -> None:
    with WebSocket(server.port) as opened:
        opened.say('{"values": [{"a": [1, null]}, 2.5, "text"]}')
        assert [opened.hear() for _ in range(3)] == ['{"a":[1,null]}', "2.5", "text"]


def test_bid_06_query_headers_and_model_are_known(server: Server) -> None:
    with WebSocket(server.port, f"{PATH}?x=1&y", {"X-Amzn-SageMaker-Custom-Attributes": "shop=4"}) as opened:
        assert opened.ask('{"tell": 1}') == '{"query":"x=1&y","attributes":"shop=4","model":1}'


def test_bid_06_another_path_is_404(server: Server) -> None:
    with pytest.raises(Rejected) as rejected:
        WebSocket(server.port, "/a/b?x=1")
    assert rejected.value.status == 404


@pytest.mark.parametrize(
    ("method", "headers", "status", "answered"),
    [
        ("GET", {}, 426, {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}),
        ("GET", {"Upgrade": "h2c"}, 426, {"Upgrade": "websocket"}),
        ("GET", {"Upgrade": "websocket", "Sec-WebSocket-Version": "8"}, 426, {"Sec-WebSocket-Version": "13"}),
        ("GET", {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}, 400, {}),
        ("GET", {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2hvcnQ="}, 400, {}),
        ("POST", {}, 405, {"Allow": "GET, HEAD"}),
        ("BREW", {}, 405, {"Allow": "GET, HEAD"}),
    ],
)
def test_what_is_no_handshake_is_a_problem(
    server: Server, method: str, headers: dict[str, str], status: int, answered: dict[str, str]
) -> None:
    reply = server.request(method, PATH, headers=headers)
    assert (reply.status, reply.content_type) == (status, "application/problem+json")
    assert {name: ", ".join(sorted(reply.headers[name].split(", "))) for name in answered} == answered


def test_without_a_stream_fn_there_is_no_such_path(server: Server) -> None:
    other = Server(predictor=OBEDIENT)
    try:
        other.start().wait_ready()
        with pytest.raises(Rejected) as rejected:
            WebSocket(other.port)
        assert rejected.value.status == 404
        assert other.request("GET", PATH).status == 404
    finally:
        other.close()


# how it ends


def test_bid_05_it_is_1000_when_stream_fn_ends(server: Server) -> None:
    with WebSocket(server.port, f"{PATH}?{server.port}ends") as opened:
        opened.say('{"return": 1}')
        assert opened.closed() == (1000, "")


def test_bid_05_it_is_1011_without_internals_when_stream_fn_fails(server: Server) -> None:
    with WebSocket(server.port) as opened:
        opened.say('{"raise": "as asked"}')
        code, reason = opened.closed()
        assert (code, LEAKS.search(reason)) == (1011, None)
        assert opened.headers["X-Request-Id"] in reason
        assert "as asked" not in reason
    failed = [each for each in server.log_events("request_failed") if each["request_id"] in reason]
    assert "as asked" in failed[0]["traceback"]
    assert (conversation(server, opened)["code"], conversation(server, opened)["error"]) == (1011, "RuntimeError")


def test_bid_05_a_refusal_in_its_own_words_is_1008(server: Server) -> None:
    with WebSocket(server.port) as opened:
        opened.say('{"refuse": "Say it in fewer words."}')
        assert opened.closed() == (1008, "Say it in fewer words.")


@pytest.mark.parametrize("fragments", [1, 3])
def test_bid_05_a_message_over_the_limit_is_1009(server: Server, fragments: int) -> None:
    with WebSocket(server.port) as opened:
        for number in range(1, fragments + 1):
            opened.say(b"x" * ((1 << 20) // fragments + 1), last=number == fragments)
        code, reason = opened.closed()
        assert (code, "1048576 bytes" in reason) == (1009, True)


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [(Opcode.TEXT, b"\xff\xfe", 1007), (Opcode.CONTINUATION, b"", 1002), (3, b"", 1002), (Opcode.CLOSE, b"\x03", 1002)],
)
def test_bid_05_what_breaks_the_protocol_is_told(server: Server, opcode: int, payload: bytes, code: int) -> None:
    """And ends stream_fn where it stands, as if the client had left: what it was told is not complete."""
    with WebSocket(server.port, f"{PATH}?broken{opcode}") as opened:
        opened.ask("whole")
        raw(opened, opcode, payload)
        told, reason = opened.closed()
        assert (told, bool(reason)) == (code, True)
    wait_until((server.gates / f"closed-broken{opcode}").exists, 5, "its finally block has run")
    assert not (server.gates / f"told-broken{opcode}").exists()


def test_bid_08_a_clients_close_is_answered_and_ends_the_messages(server: Server) -> None:
    with WebSocket(server.port, f"{PATH}?left") as opened:
        opened.ask("a")
        assert opened.close(4321, "enough")[0] == 4321
        opened.ended()
    wait_until((server.gates / "told-left").exists, 5, "stream_fn was told")
    line = conversation(server, opened)
    assert (line["code"], line["reason"], line["by"]) == (4321, "enough", "client")
    assert (line["messages_in"], line["messages_out"]) == (1, 1)


@pytest.mark.parametrize("waits", [True, False], ids=["it-waits", "it-talks"])
def test_bid_08_a_client_that_is_gone_ends_stream_fn(server: Server, waits: bool) -> None:
    name = f"gone-{waits}"
    opened = WebSocket(server.port, f"{PATH}?{name}")
    if waits:
        opened.ask("a")
    else:
        opened.say('{"count": 1000000, "pause_s": 0.005, "size": 10}')
        opened.hear()
    assert not (server.gates / f"closed-{name}").exists()
    opened.abort()
    wait_until((server.gates / f"closed-{name}").exists, 10, "its finally block has run")
    assert not (server.gates / f"told-{name}").exists()
    assert conversation(server, opened)["code"] == 1006


def test_clients_that_leave_at_once_leave_the_lane_to_others(server: Server) -> None:
    for _ in range(50):
        WebSocket(server.port).abort()
    assert server.invoke({}).status == 200
    with WebSocket(server.port) as opened:
        assert opened.ask("a") == "a"


def test_bid_08_nothing_is_left_of_sockets_that_have_ended(server: Server) -> None:
    def held() -> int:
        return psutil.Process(server.pid("gunicorn_worker")).num_fds() + server.connections()

    with WebSocket(server.port) as opened:
        opened.ask("a")
    before = wait_until(held, 5, "descriptors")
    for number in range(30):
        with WebSocket(server.port) as opened:
            opened.ask("a")
            if number % 2:
                opened.abort()
    wait_until(lambda: held() <= before, 10, "as many descriptors as before")


def test_a_slow_reader_does_not_fill_the_memory(server: Server) -> None:
    """1. 1 GB is asked for and not read.  Result: messages are made until the sockets are full, and no more."""
    made = server.gates / "made"
    made.unlink(missing_ok=True)
    with WebSocket(server.port, f"{PATH}?slow") as opened:
        opened.say(f'{{"count": 1000, "size": {1 << 20}}}')

        def stands() -> bool:
            before = made.read_text() if made.exists() else ""
            assert server.ping().status == 200
            time.sleep(0.05)
            return before != "" and before == made.read_text()

        wait_until(stands, 20, "no further message is made")
        assert int(made.read_text()) < 50
        opened.abort()
    wait_until((server.gates / "closed-slow").exists, 10, "stream_fn has ended")


def test_a_client_that_is_not_read_is_slowed_down(server: Server) -> None:
    """1. While stream_fn is busy, more is sent than is held.  Result: none of it is lost."""
    with WebSocket(server.port) as opened, ThreadPoolExecutor(1) as sender:
        opened.say('{"s": 0.5}')
        sending = sender.submit(lambda: [opened.say(bytes([number]) * 500_000) for number in range(20)])
        assert [opened.hear()[:1] for _ in range(20)] == [bytes([number]) for number in range(20)]
        sending.result()


# many at once


def test_bid_07_many_idle_sockets_take_nothing_from_requests_and_pings(server: Server) -> None:
    with ExitStack() as sockets:
        opened = [sockets.enter_context(WebSocket(server.port)) for _ in range(SOCKETS)]
        for each in opened:
            assert each.ask("a") == "a"
        pings = [server.ping().seconds for _ in range(20)]
        replies = [server.invoke_later({"number": number}) for number in range(100)]
        assert [each.result().status for each in replies] == [200] * 100
        assert max(pings) < PING_LIMIT_S
        assert {each.ask("still") for each in opened} == {"still"}


def test_sockets_and_requests_take_turns_and_never_run_at_once(server: Server) -> None:
    """obey() of the talker fails if two compute at the same time."""

    def talk(_: int) -> list[str | bytes]:
        with WebSocket(server.port) as opened:
            return [opened.ask('{"s": 0.005, "values": [1]}') for _ in range(10)]

    with ThreadPoolExecutor(4) as talkers:
        talking = [talkers.submit(talk, number) for number in range(4)]
        replies = [server.invoke({"s": 0.005}).status for _ in range(20)]
        assert replies == [200] * 20
        assert [each.result() for each in talking] == [["1"] * 10] * 4


def raw(opened: WebSocket, opcode: int, payload: bytes, *, last: bool = True) -> None:
    """Send a frame that wsproto would not; a mask of zeros leaves its payload as it is."""
    opened.socket.sendall(bytes((opcode | (0x80 if last else 0), 0x80 | len(payload))) + bytes(4) + payload)


def test_one_more_than_allowed_is_503() -> None:
    server = Server(predictor=TALKER, env={"SERVING_SOCKET_LIMIT": "2"})
    try:
        server.start().wait_ready()
        with WebSocket(server.port), WebSocket(server.port) as second:
            with pytest.raises(Rejected) as rejected:
                WebSocket(server.port)
            assert (rejected.value.status, b"SERVING_SOCKET_LIMIT" in rejected.value.body) == (503, True)
            assert server.invoke({}).status == 200
            second.close()
            second.ended()
            with wait_until(lambda: reopened(server), 5, "there is room again") as opened:
                assert opened.ask("a") == "a"
    finally:
        server.close()


def reopened(server: Server) -> WebSocket | None:
    try:
        return WebSocket(server.port)
    except (Rejected, TimeoutError):
        return None
