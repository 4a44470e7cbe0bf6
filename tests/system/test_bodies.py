"""Bodies and headers at their limits, and clients of all manners, through the real nginx and gunicorn."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import itertools
import random
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.client import wait_until
from tests.system.replies import check_problem
from tests.system.server import ROOT, Server
from tests.system.wire import Wire, request

MIRROR = (Path(__file__).parent / "mirror.py").read_text()
BYTES = "application/octet-stream"
LIMIT_BYTES = 25 * 1024 * 1024
SLOW_S = 10.0
PING_LIMIT_S = 2.0
CLIENTS = 32
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(predictor=MIRROR, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"})
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def noise() -> bytes:
    """As many bytes as a request may have, of every value."""
    return random.Random(0).randbytes(LIMIT_BYTES)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_inv_03_04_24_25_mb_come_back_byte_for_byte(server: Server, noise: bytes) -> None:
    """The limit itself is still allowed; so are the 25 * 10**6 bytes of the guide."""
    reply = server.invoke(noise, BYTES)
    assert (200, BYTES, sha256(noise)) == (reply.status, reply.content_type, sha256(reply.body))


def test_inv_03_04_25_mb_of_csv_are_read_and_written(server: Server) -> None:
    row = ",".join(["0.123456789"] * 10) + "\n"
    body = row.encode() * (25_000_000 // len(row))
    reply = server.invoke(body, "text/csv", accept="text/csv")
    assert (200, "text/csv", sha256(body)) == (reply.status, reply.content_type, sha256(reply.body + b"\n"))


def test_inv_06_25_mb_without_a_length_come_back(server: Server, noise: bytes) -> None:
    """http.client sends an iterable in chunks."""
    pieces = (noise[start : start + 100_000] for start in range(0, len(noise), 100_000))
    reply = server.request("POST", "/invocations", pieces, {"Content-Type": BYTES})
    assert (200, sha256(noise)) == (reply.status, sha256(reply.body))


def test_a_gzip_body_reaches_the_handler_unpacked(server: Server) -> None:
    """Packed it is far under the limit of a body, unpacked it may be over that: SERVING_MAX_UNPACKED_MB counts."""
    text = b"5.1,3.5,1.4,0.2\n" * 2_000_000
    reply = server.invoke(gzip.compress(text, 1), BYTES, content_encoding="gzip")
    assert (200, sha256(text)) == (reply.status, sha256(reply.body))


def test_inv_24_each_byte_value_comes_back(server: Server) -> None:
    every = bytes(range(256))
    assert every == server.invoke(every, BYTES).body


def test_an_answer_that_nobody_reads_holds_up_no_one(server: Server) -> None:
    """nginx takes the answer off the worker at once and keeps it for the slow reader."""
    with ThreadPoolExecutor() as pool:
        readers = [Wire(server.port) for _ in range(8)]
        for reader in readers:
            reader.send([request(str(LIMIT_BYTES).encode(), "application/x-sized")])
        replies = list(pool.map(lambda _: server.invoke(b"x", BYTES), range(100)))
        assert {200} == {reply.status for reply in replies}
        assert list(pool.map(lambda reader: len(reader.reply().body), readers)) == [LIMIT_BYTES] * 8
        for reader in readers:
            reader.close()


# limits


def test_a_body_over_the_limit_is_413_from_nginx_with_both_numbers(server: Server, noise: bytes) -> None:
    reply = server.invoke(noise + b"\0", BYTES)
    assert reply.status == 413
    for number in (str(LIMIT_BYTES + 1), "25 MiB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"):
        assert number in reply.json()["detail"]


def test_a_body_over_the_limit_is_413_from_the_app_with_both_numbers(server: Server) -> None:
    """Reached only past nginx, by its socket: the app must hold on its own."""
    with Wire(path=server.run_dir / "worker-0.sock") as wire:
        wire.send([request(b"", BYTES).replace(b"Content-Length: 0", b"Content-Length: %d" % (LIMIT_BYTES + 1))])
        reply = wire.reply()
    check_problem(reply)
    assert reply.status == 413
    for number in (str(LIMIT_BYTES + 1), str(LIMIT_BYTES), "SAGEMAKER_MAX_PAYLOAD_IN_MB"):
        assert number in reply.json()["detail"]


def test_bt_09_the_limit_is_a_setting(serve: Callable[..., Server]) -> None:
    server = serve(predictor=MIRROR, env={"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"})
    server.wait_ready()
    assert tuple(server.invoke(bytes(mb * 1_000_000), BYTES).status for mb in (45, 53)) == (200, 413)


# headers


def test_inv_20_custom_attributes_reach_the_handler_and_come_back_only_if_it_says_so(server: Server) -> None:
    for given, returned in (("k=v", None), ("back=1", "back=1")):
        reply = server.invoke(b"", "application/x-context", **{CUSTOM_ATTRIBUTES: given})
        assert (given, returned) == (reply.json()["custom_attributes"], reply.headers.get(CUSTOM_ATTRIBUTES))


def test_inv_21_all_headers_at_full_length_at_once(server: Server) -> None:
    """4 KB of headers and more, there and back: nginx's default buffers are smaller."""
    attributes = "back" + "~" * 1020
    accept = "application/json;x=" + "a" * 1005
    content_type = "application/x-context;x=" + "b" * 1000
    target = "t" * 1024
    reply = server.invoke(
        b"", content_type, accept=accept, **{CUSTOM_ATTRIBUTES: attributes, "X-Amzn-SageMaker-Target-Model": target}
    )
    assert reply.status == 200
    told = reply.json()
    assert tuple(map(len, (attributes, accept, content_type, target))) == (1024,) * 4
    assert attributes == told["custom_attributes"] == reply.headers[CUSTOM_ATTRIBUTES]
    assert target == told["x-amzn-sagemaker-target-model"]
    assert content_type == told["content_type"]


def test_inv_22_every_platform_header_reaches_the_handler(server: Server) -> None:
    names = ["Inference-Id", "Target-Variant", "Target-Model", "Session-Id", "Of-The-Future"]
    given = {f"X-Amzn-SageMaker-{name}": f"value of {name}" for name in names}
    told = server.invoke(b"", "application/x-context", **given).json()
    assert given == {name: told[name.lower()] for name in given}


# clients


def test_inv_07_a_client_that_waits_for_100_continue_sends_2_mb(server: Server, noise: bytes) -> None:
    """curl waits so with more than 1 MB."""
    body = noise[:2_000_000]
    head, _, _ = request(body, BYTES, "Expect: 100-continue").partition(b"\r\n\r\n")
    with Wire(server.port) as wire:
        wire.send([head + b"\r\n\r\n"])
        assert wire.stream.readline() + wire.stream.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send([body])
        assert sha256(body) == sha256(wire.reply().body)


def test_inv_27_a_body_that_takes_10_seconds_is_answered(server: Server) -> None:
    body = bytes(range(200))
    head = request(body, BYTES)[: -len(body)]
    with Wire(server.port) as wire:
        wire.send([head])
        wire.send([body[i : i + 1] for i in range(len(body))], pause_s=SLOW_S / len(body))
        reply = wire.reply()
    assert (200, body) == (reply.status, reply.body)
    assert reply.seconds >= SLOW_S


def test_a_client_that_stops_sending_is_left_and_no_one_else(serve: Callable[..., Server]) -> None:
    """nginx waits 60 s for the next bytes; here 1 s, since the test waits with it."""
    conf = (ROOT / "nginx.conf").read_text()
    server = serve(predictor=MIRROR, files={"nginx.conf": conf.replace("_timeout 60s", "_timeout 1s")})
    server.wait_ready()
    with Wire(server.port) as in_head, Wire(server.port) as in_body:
        in_head.send([b"POST /invoca"])
        in_body.send([request(b"1234", BYTES)[:-1]])
        assert server.invoke(b"1234", BYTES).body == b"1234"
        assert (in_head.rest(), in_body.rest()) == (b"", b"")


def test_png_08_one_connection_takes_many_requests(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    first = connection.sock.getsockname()
    for number in range(100):
        connection.request("POST", "/invocations", str(number), {"Content-Type": BYTES})
        assert str(number).encode() == connection.getresponse().read()
        connection.request("GET", "/ping")
        assert connection.getresponse().read() == b""
    assert first == connection.sock.getsockname()
    connection.close()


def test_png_08_a_connection_per_request_works_as_well(server: Server) -> None:
    replies = [server.request("POST", "/invocations", b"1", {"Connection": "close", "Content-Type": BYTES})
               for _ in range(100)]  # fmt: skip
    assert {(200, b"1")} == {(reply.status, reply.body) for reply in replies}


def test_inv_26_clients_that_leave_in_the_body_or_before_the_answer_leave_the_server_usable(server: Server) -> None:
    sleep, body = request(b"0.05", "application/x-sleep"), request(bytes(100_000), BYTES)
    for sent in itertools.islice(itertools.cycle([sleep, body[:50_000], body[:40]]), 60):
        wire = Wire(server.port)
        wire.send([sent])
        wire.abort()
    assert server.invoke(b"1", BYTES).body == b"1"
    wait_until(lambda: server.connections() == 0, 10, "nginx has let go of all connections")
    assert server.ping().status == 200


def test_500_connections_that_send_nothing_keep_no_one_out(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(500)]
    try:
        assert server.invoke(b"1", BYTES).body == b"1"
        assert server.ping().status == 200
    finally:
        for each in idle:
            each.close()


def test_inv_25_clients_in_parallel_each_get_their_own_answer(server: Server) -> None:
    """With /ping in time all along."""

    def load(number: int) -> None:
        for count in range(50):
            body = f"{number} {count} ".encode() * 50
            assert body == server.invoke(body, BYTES).body

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load, number) for number in range(CLIENTS)]
        while not all(client.done() for client in clients):
            reply = server.ping()
            assert reply.status == 200
            assert reply.seconds < PING_LIMIT_S
        for client in clients:
            client.result()
