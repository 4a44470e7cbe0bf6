"""The default worker's loop over real sockets: how connections are read, answered, left, and what waits for whom."""

from __future__ import annotations

import errno
import gc
import os
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.batching import key_of
from container.errors import DeadlineExceeded, Overloaded
from container.http import Environ
from container.lane import Job, Timings
from container.loop import Loop, LoopLane
from container.seats import Doors, Seats

PATIENCE_S = 10.0
LIMIT_BYTES = 1 << 20

Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


class Served:
    """A loop that serves an app in a thread of its own."""

    def __init__(
        self, folder: Path, app: Wsgi, deadline_s: float = PATIENCE_S, listener: socket.socket | None = None,
        doors: Doors | None = None, **limits: Any,
    ) -> None:  # fmt: skip
        self.path = str(folder / "app.sock")
        self.listener = listener or socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(256)
        self.wake = os.pipe()
        self.lane = LoopLane(**{"queue_limit": 64, "watchdog_s": PATIENCE_S, "max_batch_size": 8, **limits})
        self.lane.start()
        self.alive = True
        limits = {"deadline_s": deadline_s, "limit_bytes": LIMIT_BYTES}
        self.loop = Loop(doors or Doors([self.listener]), self.wake[0], app, self.lane, **limits)
        self.thread = threading.Thread(target=self.loop.run, args=(lambda: self.alive,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Take no new connections; wait for the end of those that are open."""
        self.alive = False
        os.write(self.wake[1], b"1")
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE_S)
        client.connect(self.path)
        return client

    def close(self) -> None:
        self.stop()
        self.listener.close()
        for end in self.wake:
            os.close(end)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[Served] = []

    def start(app: Wsgi, **more: Any) -> Served:
        started.append(Served(tmp_path, app, **more))
        return started[-1]

    yield start
    for each in started:
        each.close()


def post(body: bytes = b"", version: str = "1.1", more: str = "") -> bytes:
    return f"POST /invocations HTTP/{version}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def answer(client: socket.socket) -> tuple[HTTPResponse, bytes]:
    response = HTTPResponse(client, method="POST")
    response.begin()
    return response, response.read()


def bodies(client: socket.socket, count: int) -> list[bytes]:
    """Those of so many answers, each one word, that came in one stream."""
    data = b""
    while len(found := re.findall(rb"\r\n\r\n([a-z]+)", data)) < count:
        data += client.recv(1000)
    return found


def echo(environ: Environ, start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def test_many_requests_on_one_connection_are_answered_in_order(serve: Serve) -> None:
    served = serve(echo)
    with served.connect() as client:
        client.sendall(post(b"one") + post(b"two") + post(b"three"))
        assert bodies(client, 3) == [b"one", b"two", b"three"]


def test_a_request_may_come_byte_by_byte(serve: Serve) -> None:
    with serve(echo).connect() as client:
        for byte in post(b"slowly"):
            client.sendall(bytes([byte]))
        assert answer(client)[1] == b"slowly"


def test_a_chunked_body_is_put_together(serve: Serve) -> None:
    with serve(echo).connect() as client:
        chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + post(b"next"))
        assert bodies(client, 2) == [b"abcde", b"next"]


def test_a_body_as_large_as_the_limit_goes_both_ways(serve: Serve) -> None:
    body = os.urandom(LIMIT_BYTES)
    with serve(echo).connect() as client:
        threading.Thread(target=client.sendall, args=(post(body),)).start()
        assert answer(client)[1] == body


def test_an_idle_connection_holds_nothing_of_its_last_request(serve: Serve) -> None:
    """Nor do cycles until the collector runs: nginx keeps many connections, and bodies have up to 25 MB."""
    inputs: list[weakref.ref[Any]] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        inputs.append(weakref.ref(environ["wsgi.input"]))
        return echo(environ, start_response)

    gc.disable()
    try:
        with serve(app).connect() as client:
            client.sendall(post(b"x" * 1000))
            assert answer(client)[1] == b"x" * 1000
            wait_until(lambda: inputs[0]() is None)
    finally:
        gc.enable()


def test_a_trailer_is_no_header(serve: Serve) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(environ)
        return echo(environ, start_response)

    with serve(app).connect() as client:
        head = b"POST / HTTP/1.1\r\nX-Name: header\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head + b"3\r\nabc\r\n0\r\nX-Name: trailer\r\nContent-Type: text/csv\r\n\r\n")
        assert answer(client)[1] == b"abc"
    assert (seen[0]["HTTP_X_NAME"], seen[0].get("CONTENT_TYPE")) == ("header", None)


def test_the_environ_is_what_pep_3333_asks_for(serve: Serve) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(environ)
        return echo(environ, start_response)

    more = "Content-Type: text/csv\r\nX-Twice: a\r\nX-Twice: b\r\nX_Under: score\r\n"
    with serve(app).connect() as client:
        client.sendall(post(b"1", more=more).replace(b"/invocations ", b"/a%20b?q=%20#top ", 1))
        answer(client)
    (environ,) = seen
    wanted = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/a b", "QUERY_STRING": "q=%20", "CONTENT_TYPE": "text/csv",
        "CONTENT_LENGTH": "1", "HTTP_X_TWICE": "a,b", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input_terminated": True,
    }  # fmt: skip
    assert {key: environ.get(key) for key in wanted} == wanted
    assert "HTTP_X_UNDER" not in environ


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\xe9 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 414),
    ],
)
def test_what_is_no_http_is_refused_as_problem_json(serve: Serve, sent: bytes, status: int) -> None:
    with serve(echo).connect() as client:
        client.sendall(sent)
        response, body = answer(client)
        assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
        assert response.headers["X-Request-Id"].encode() in body
        assert client.recv(1) == b""


def test_http_1_0_and_connection_close_are_closed_after_the_answer(serve: Serve) -> None:
    served = serve(echo)
    for sent in (post(b"x", "1.0"), post(b"x", more="Connection: close\r\n")):
        with served.connect() as client:
            client.sendall(sent)
            assert answer(client)[1] == b"x"
            assert client.recv(1) == b""


class Exhausted(socket.socket):
    """A listening socket that has no descriptor for whom it would accept."""

    out = False
    refused = 0

    def accept(self) -> Any:
        if self.out:
            self.refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_descriptors_the_loop_serves_whom_it_has_and_accepts_later(serve: Serve) -> None:
    door = Exhausted(socket.AF_UNIX)
    served = serve(echo, listener=door)
    with served.connect() as client:
        client.sendall(post(b"before"))
        assert answer(client)[1] == b"before"
        door.out = True
        with served.connect() as late:
            wait_until(lambda: door.refused > 0)
            client.sendall(post(b"meanwhile"))
            assert answer(client)[1] == b"meanwhile"
            assert door.refused == 1, "the loop turns for ever"
            door.out = False
            late.sendall(post(b"late"))
            assert answer(late)[1] == b"late"


def test_a_connection_of_a_vacant_seat_ends_when_that_has_a_worker_again(tmp_path: Path) -> None:
    seats, paths = Seats(2), [tmp_path / "0.sock", tmp_path / "1.sock"]
    listeners = [listening(path) for path in paths]
    served = Served(tmp_path, echo, doors=Doors(listeners, seats, 0))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(str(paths[1]))
        for kept in ("keep-alive", "close"):
            client.sendall(post(b"x"))
            assert answer(client)[0].headers["Connection"] == kept
            seats.sit(1, 4711)
            os.write(served.wake[1], b"1")
            wait_until(lambda: listeners[1] not in served.loop._listening)
    served.close()
    for listener in listeners:
        listener.close()


# answers


def test_a_generator_is_sent_piece_by_piece(serve: Serve) -> None:
    """Each piece is there before the next one is made."""
    got = threading.Event()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert got.wait(PATIENCE_S)
        yield b"second"

    with serve(app).connect() as client:
        client.sendall(post())
        response = HTTPResponse(client)
        response.begin()
        assert response.read1(5) == b"first"
        got.set()
        assert response.read() == b"second"
        client.sendall(post())  # and the connection goes on
        assert answer(client)[1] == b"firstsecond"


def test_others_are_served_between_two_pieces(serve: Serve) -> None:
    """Nor does the time of all pieces count as one for the watchdog, which would end the worker."""

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        return pieces(start_response) if environ["QUERY_STRING"] == "stream" else echo(environ, start_response)

    def pieces(start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(10):
            yield b"piece"
            time.sleep(0.05)

    served = serve(app)
    with served.connect() as stream, served.connect() as quick:
        stream.sendall(post().replace(b"/invocations", b"/invocations?stream"))
        begun = monotonic()
        stream.recv(1, socket.MSG_PEEK)
        quick.sendall(post(b"quick"))
        assert answer(quick)[1] == b"quick"
        assert monotonic() - begun < 0.3
        while monotonic() < begun + 0.5:
            assert not served.loop.stuck(0.25)
            time.sleep(0.01)
        assert answer(stream)[1] == b"piece" * 10


def test_an_error_in_the_middle_breaks_the_answer_off(serve: Serve) -> None:
    """A clean end would pass for the whole answer."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        raise RuntimeError("in the middle")

    with serve(app).connect() as client:
        client.sendall(post())
        with pytest.raises(Exception, match="IncompleteRead"):
            answer(client)


def test_what_is_no_exception_ends_its_own_request_only(serve: Serve) -> None:
    """sys.exit() in an app of the old style, or the panic of a library in Rust."""

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["QUERY_STRING"] == "exit":
            raise SystemExit
        return echo(environ, start_response)

    served = serve(app)
    with served.connect() as client, served.connect() as other:
        client.sendall(post().replace(b"/invocations", b"/invocations?exit"))
        assert answer(client)[0].status == 500
        other.sendall(post(b"served"))
        assert answer(other)[1] == b"served"


def test_an_error_in_the_middle_adds_nothing_to_the_answer(serve: Serve) -> None:
    """What it said would be taken for the rest of the body."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        yield b"half"
        raise RuntimeError("in the middle")

    with serve(app).connect() as client:
        client.sendall(post())
        assert b"".join(iter(lambda: client.recv(1000), b"")).endswith(b"\r\n\r\nhalf")


@pytest.mark.parametrize("header", [("X-Bad", "a\r\nX-More: b"), ("X-Bad\n", "a")])
def test_a_header_with_a_line_break_is_a_500(serve: Serve, header: tuple[str, str]) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [header])
        return [b"x"]

    with serve(app).connect() as client:
        client.sendall(post())
        response, body = answer(client)
        assert response.status == 500
        assert response.headers["X-More"] is None
        assert b"line break" not in body


@pytest.mark.parametrize("body", [[b"no body please"], [b"no body", b"please"]], ids=["whole", "in pieces"])
def test_the_answer_to_head_and_204_has_no_body(serve: Serve, body: list[bytes]) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("204 No Content" if environ["REQUEST_METHOD"] == "GET" else "200 OK", [])
        return body

    served = serve(app)
    for method in ("HEAD", "GET"):
        client = HTTPConnection("localhost")
        client.sock = served.connect()
        for _ in range(2):  # a body would be taken for the next answer
            client.request(method, "/")
            assert client.getresponse().read() == b""
        client.close()


def test_the_generator_is_closed_when_the_client_leaves(serve: Serve) -> None:
    closed = threading.Event()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    with serve(app).connect() as client:
        client.sendall(post())
        client.recv(1000)
    assert closed.wait(PATIENCE_S)


def test_a_slow_reader_does_not_hold_the_others_up(serve: Serve) -> None:
    """Nor does its answer pile up here: it is not made before there is room for it."""
    made = [0]

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ["QUERY_STRING"] != "large":
            return echo(environ, start_response)
        start_response("200 OK", [])
        return pieces()

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            made[0] += 1
            yield b"x" * 100_000

    served = serve(app)
    with served.connect() as slow, served.connect() as quick:
        slow.sendall(post().replace(b"/invocations", b"/invocations?large"))
        slow.recv(10, socket.MSG_PEEK)
        for _ in range(20):
            quick.sendall(post(b"quick"))
            assert answer(quick)[1] == b"quick"
        assert made[0] < 50
        assert len(answer(slow)[1]) == 10_000_000


# predictions


def predicting(served: Callable[[], Served], predict: Callable[[Any], Any], within_s: float = PATIENCE_S) -> Wsgi:
    """An app that answers the sum of each row of numbers in the body, by way of the lane."""

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        rows = np.array([[float(each) for each in line.split()] for line in environ["wsgi.input"].read().splitlines()])
        try:
            answered = served().lane.submit(
                Job(predict, rows, key_of(rows), len(rows)), monotonic() + within_s, Timings()
            )
            status, body = "200 OK", " ".join(f"{each:g}" for each in answered)
        except (ValueError, DeadlineExceeded, Overloaded) as error:
            status, body = f"{getattr(error, 'status', 500):d} Error", type(error).__name__
        start_response(status, [])
        return [body.encode()]

    return app


class Model:
    """predict waits until it may, and remembers how many rows each call had."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.reached = threading.Event()
        self.calls: list[int] = []

    def predict(self, rows: Any) -> Any:
        self.calls.append(len(rows))
        self.reached.set()
        assert self.may.wait(PATIENCE_S)
        if (rows < 0).any():
            raise ValueError
        return rows.sum(axis=1)


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.may.set()


def start(serve: Serve, model: Model, within_s: float = PATIENCE_S, **limits: Any) -> Served:
    served: list[Served] = []
    served.append(serve(predicting(lambda: served[0], model.predict, within_s), **limits))
    return served[0]


def wait_until(condition: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, "the condition never came true"
        time.sleep(0.001)


def test_what_comes_while_a_prediction_runs_is_the_next_batch(serve: Serve, model: Model) -> None:
    served = start(serve, model)
    clients = [served.connect() for _ in range(5)]
    wait_until(lambda: len(served.loop.connections) == 5)
    clients[0].sendall(post(b"0 1"))
    assert model.reached.wait(PATIENCE_S)
    for number, client in enumerate(clients[1:], 1):
        client.sendall(post(b"%d 1" % number))
    model.may.set()
    assert [answer(client)[1] for client in clients] == [b"1", b"2", b"3", b"4", b"5"]
    assert model.calls == [1, 4]
    for client in clients:
        client.close()


def test_a_client_that_left_is_not_predicted_for(serve: Serve, model: Model) -> None:
    served = start(serve, model)
    with served.connect() as first, served.connect() as second, served.connect() as third:
        first.sendall(post(b"0 1"))
        assert model.reached.wait(PATIENCE_S)
        second.sendall(post(b"1 1"))
        second.close()
        third.sendall(post(b"2 1"))
        model.may.set()
        assert [answer(first)[1], answer(third)[1]] == [b"1", b"3"]
        wait_until(lambda: len(served.loop.connections) == 2)


def test_a_request_whose_time_is_over_is_told_and_not_predicted(serve: Serve, model: Model) -> None:
    served = start(serve, model, within_s=0.05)
    with served.connect() as first, served.connect() as second:
        first.sendall(post(b"0 1"))
        assert model.reached.wait(PATIENCE_S)
        second.sendall(post(b"1 1"))
        time.sleep(0.1)
        model.may.set()
        assert answer(second)[0].status in (200, 504)  # read before or after the wait: then its clock had not begun
        assert answer(first)[0].status == 504


def test_a_full_queue_is_refused(serve: Serve, model: Model) -> None:
    served = start(serve, model, queue_limit=2, max_batch_size=1)
    clients = [served.connect() for _ in range(6)]
    wait_until(lambda: len(served.loop.connections) == 6)
    clients[0].sendall(post(b"0 1"))
    assert model.reached.wait(PATIENCE_S)
    for client in clients[1:]:
        client.sendall(post(b"0 1"))
    model.may.set()
    assert sorted(answer(client)[0].status for client in clients) == [200, 200, 200, 503, 503, 503]
    for client in clients:
        client.close()


def test_late_requests_are_known_to_the_watch_and_answered_once(serve: Serve, model: Model) -> None:
    served = start(serve, model, deadline_s=0.05)
    with served.connect() as client:
        client.sendall(post(b"0 1"))
        assert model.reached.wait(PATIENCE_S)
        wait_until(lambda: bool(served.loop.overdue(monotonic())))
        ((_, pending),) = served.loop.overdue(monotonic())
        assert [pending.claim(), pending.claim()] == [True, False]
        model.may.set()


def test_an_answer_that_has_begun_is_not_the_watchs_to_give(serve: Serve) -> None:
    """Its 504 would stand in the middle of the body. An app of the old style does not claim its answer itself."""

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert claimed.wait(PATIENCE_S)
        yield b"second"

    claimed = threading.Event()
    served = serve(app, deadline_s=0)
    with served.connect() as client:
        client.sendall(post())
        assert client.recv(1000)
        ((_, pending),) = served.loop.overdue(monotonic())
        assert not pending.claim()
        claimed.set()


def test_an_app_that_is_too_late_says_nothing_after_the_watch_did(serve: Serve) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        assert claimed.wait(PATIENCE_S)
        return [b"late"]

    claimed = threading.Event()
    served = serve(app, deadline_s=0)
    with served.connect() as client:
        client.sendall(post())
        wait_until(lambda: bool(served.loop.overdue(monotonic())))
        ((_, pending),) = served.loop.overdue(monotonic())
        assert pending.claim()
        claimed.set()
        assert client.recv(1000) == b""


def test_the_socket_stays_open_until_the_watch_has_had_its_word(serve: Serve, model: Model) -> None:
    """Else the 504 would be lost, or go to whoever was given the same descriptor."""
    served = start(serve, model, deadline_s=0)
    with served.connect() as client:
        client.sendall(post(b"0 1"))
        assert model.reached.wait(PATIENCE_S)
        ((connection, pending),) = served.loop.overdue(monotonic())
        with connection.last_word:
            assert pending.claim()
            model.may.set()
            time.sleep(0.05)  # the loop is done, and would close
            connection.last_words(b"the watch's answer")
        assert client.recv(1000) == b"the watch's answer"
        assert client.recv(1000) == b""


def test_a_loop_that_idles_is_not_stuck_and_one_that_predicts_for_ever_is(serve: Serve, model: Model) -> None:
    served = start(serve, model)
    with served.connect() as client:
        time.sleep(0.05)
        assert not served.loop.stuck(0.01)
        client.sendall(post(b"0 1"))
        wait_until(lambda: served.loop.stuck(0.01))
        model.may.set()
        answer(client)
        wait_until(lambda: not served.loop.stuck(0.01))


def test_a_loop_with_much_to_do_is_not_stuck(serve: Serve) -> None:
    """Each request may take its time: all that came while the first was served are served in one turn."""

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        time.sleep(0.1)
        return echo(environ, start_response)

    served = serve(app)
    clients = [served.connect() for _ in range(5)]
    for client in clients:
        client.sendall(post(b"x"))
    end = monotonic() + 0.6
    while monotonic() < end:
        assert not served.loop.stuck(0.25)
        time.sleep(0.01)
    assert [answer(client)[1] for client in clients] == [b"x"] * 5
    for client in clients:
        client.close()


def test_a_stopping_loop_answers_what_it_has_and_takes_nothing_new(serve: Serve, model: Model) -> None:
    served = start(serve, model)
    with served.connect() as busy:
        busy.sendall(post(b"0 1"))
        assert model.reached.wait(PATIENCE_S)
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        wait_until(lambda: not served.alive)
        model.may.set()
        response, body = answer(busy)
        assert (response.status, body, response.headers["Connection"]) == (200, b"1", "close")
    stopping.join(PATIENCE_S)


REQUESTS = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["plain", "wide", "negative", "leave", "slow"])),
    min_size=1, max_size=20,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(requests=REQUESTS, max_batch_size=st.integers(1, 16), delay_s=st.sampled_from([0.0, 0.002]))
def test_every_client_gets_its_own_rows(
    tmp_path_factory: pytest.TempPathFactory,
    requests: list[tuple[int, str]],
    max_batch_size: int,
    delay_s: float,
) -> None:
    """Promise 7, over sockets: for every mix of sizes, shapes, errors and clients that leave, each gets its own."""
    model, served = Model(), []
    model.may.set()
    limits = {"max_batch_size": max_batch_size, "max_batch_delay_s": delay_s}
    app = predicting(lambda: served[0], model.predict)
    served.append(Served(tmp_path_factory.mktemp("s"), app, **limits))

    def ask(number: int) -> Any:
        count, kind = requests[number]
        row = b"-1 0" if kind == "negative" else b"%d 1" % number + b" 1" * (kind == "wide")
        sent = post(b"\n".join([row] * count))
        with served[0].connect() as client:
            client.sendall(sent[: len(sent) // 2] if kind == "leave" and number % 2 else sent)
            if kind == "leave":
                return None
            if kind == "slow":
                time.sleep(0.002)
            return answer(client)[1]

    with ThreadPoolExecutor(len(requests)) as clients:
        answers = list(clients.map(ask, range(len(requests))))
    served[0].close()
    assert answers == [wanted(number, *request) for number, request in enumerate(requests)]
    assert max(model.calls, default=0) <= max(max_batch_size, 12)


def wanted(number: int, count: int, kind: str) -> bytes | None:
    if kind == "leave":
        return None
    if kind == "negative":
        return b"ValueError"
    return b" ".join([b"%d" % (number + 1 + (kind == "wide"))] * count)
