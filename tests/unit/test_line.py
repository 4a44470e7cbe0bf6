"""The clocks of a WebSocket, and turns that are lent: what takes too long to be waited for through the real server."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from container import frames, line, lines
from container.errors import Abandoned, ConversationOver, DeadlineExceeded
from container.frames import BINARY, TEXT, close_frame, frame
from container.http import Environ
from container.lane import Job, Lane, Timings
from container.line import Line
from container.lines import UPGRADE, Terms
from container.loop import Loop, LoopLane
from container.loop_line import LoopLines
from container.seats import Doors
from container.thread_lane import ThreadLane
from container.thread_line import ThreadLines

PATIENCE_S = 10.0
UPGRADING = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
Talk = Callable[[Line], Any]
LIMITS = {"queue_limit": 8, "watchdog_s": PATIENCE_S}


class Worker:
    """A worker of either class that answers whoever comes with talk(line)."""

    def __init__(self, folder: Path, kind: str, turn_s: float) -> None:
        self.told: list[Any] = []
        self.talk: Talk = lambda _: None
        self.leave: int | None = None
        self.lane: Lane = ThreadLane(threads=1, **LIMITS) if kind == "gthread" else LoopLane(**LIMITS)
        self.lane.start()
        self.terms = Terms(self.lane, 100, turn_s, 0.3, lambda: self.leave)
        self.connect = self._by_threads() if kind == "gthread" else self._by_a_loop(folder)

    def app(self, environ: Environ, _: Any) -> list[bytes]:
        """Ends as conversation.hold does."""
        taken: Line = environ[UPGRADE]()
        taken.start(b"")
        try:
            self.told.append(self.talk(taken))
        except (Abandoned, DeadlineExceeded) as error:
            self.told.append(type(error))
        finally:
            taken.end()
        taken.hang_up(frames.NORMAL, "")
        self.told.append(taken.closed_with)
        raise ConversationOver

    def _by_threads(self) -> Callable[[], socket.socket]:
        app = ThreadLines(self.terms).offered_to(self.app)

        def serve(theirs: socket.socket) -> None:
            with theirs, pytest.raises(ConversationOver):
                app({"gunicorn.socket": theirs}, None)

        def connect() -> socket.socket:
            ours, theirs = socket.socketpair()
            threading.Thread(target=serve, args=(theirs,), daemon=True).start()
            return ours

        self.stop = lambda: self.lane.close(PATIENCE_S)
        return connect

    def _by_a_loop(self, folder: Path) -> Callable[[], socket.socket]:
        listener, wake, self.alive = socket.socket(socket.AF_UNIX), os.pipe(), True
        listener.bind(str(folder / "socket"))
        listener.listen()
        assert isinstance(self.lane, LoopLane)
        loop = Loop(Doors([listener]), wake[0], self.app, self.lane, deadline_s=PATIENCE_S, limit_bytes=100)
        loop.lines = LoopLines(self.terms, loop)
        thread = threading.Thread(target=loop.run, args=(lambda: self.alive,), daemon=True)
        thread.start()

        def connect() -> socket.socket:
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(folder / "socket"))
            client.sendall(UPGRADING)
            return client

        def stop() -> None:
            self.alive = False
            os.write(wake[1], b"1")
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
            listener.close()

        self.stop = stop
        return connect

    def open(self, talk: Talk, told: bytes = b"") -> socket.socket:
        self.talk = talk
        client = self.connect()
        client.settimeout(PATIENCE_S)
        client.sendall(told)
        return client

    def wait_told(self, count: int) -> list[Any]:
        end_s = time.monotonic() + PATIENCE_S
        while len(self.told) < count:
            assert time.monotonic() < end_s, self.told
            time.sleep(0.005)
        return self.told


Serve = Callable[..., Worker]


@pytest.fixture(params=["loop", "gthread"])
def serve(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    for module, names in {line: {"CLOSE_S": 0.2, "LINGER_S": 0.1}, lines: {"TICK_S": 0.02}}.items():
        for name, value in names.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("container.loop.IDLE_S", 0.02)
    monkeypatch.setattr("container.thread_line.TICK_S", 0.02)
    started: list[Worker] = []

    def start(turn_s: float = PATIENCE_S) -> Worker:
        started.append(Worker(tmp_path, request.param, turn_s))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def masked(data: bytes) -> bytes:
    """A frame of ours as a client's, with a mask of zeros."""
    return bytes((data[0], data[1] | 0x80)) + bytes(4) + data[2:]


def rest(client: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    while data := client.recv(65536):
        found += data
    return found


def test_what_comes_behind_the_handshake_is_read(serve: Serve) -> None:
    worker = serve()
    with worker.open(Line.receive, masked(frame(TEXT, b"early")) + masked(close_frame(1000))):
        assert worker.wait_told(2) == ["early", frames.Close(1000, "")]


def test_a_client_that_says_nothing_is_pinged(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PING_S", 0.1)
    with serve().open(Line.receive) as client:
        assert client.recv(100)[:2] == frame(frames.PING, b"")
        client.sendall(masked(frame(frames.PONG, b"")))
        assert client.recv(100)[:2] == frame(frames.PING, b""), "and again"


def test_a_client_without_a_sign_of_life_is_gone(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "SILENCE_S", 0.2)
    worker = serve()
    with worker.open(Line.receive):
        assert worker.wait_told(2) == [None, frames.Close(1006, "")]


def test_a_client_that_does_not_answer_close_is_not_waited_for_long(serve: Serve) -> None:
    worker = serve()
    with worker.open(lambda _: "done") as client:
        assert rest(client) == close_frame(1000)
        assert worker.wait_told(2) == ["done", frames.Close(1000, "")]


def test_a_broken_frame_is_told_and_nothing_after_it_is_read(serve: Serve) -> None:
    worker = serve()
    with worker.open(Line.receive, frame(TEXT, b"no mask") + masked(frame(TEXT, b"more"))) as client:
        assert rest(client)[2:4] == (1002).to_bytes(2, "big")
        assert worker.wait_told(1)[0] is None


def test_a_message_that_memory_has_no_room_for_is_1013(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(line.Frames, "feed", full)
    with serve().open(Line.receive, masked(frame(BINARY, b"x"))) as client:
        assert rest(client)[2:4] == (1013).to_bytes(2, "big")


def test_who_gets_no_turn_in_time_is_told_and_takes_none(serve: Serve) -> None:
    """Result: DeadlineExceeded, and the next turn is given."""
    worker = serve(turn_s=0)

    def talk(opened: Line) -> str:
        with pytest.raises(DeadlineExceeded):
            opened.begin()
        opened.lines.terms = replace(worker.terms, turn_s=PATIENCE_S)
        opened.begin()
        return "a turn"

    with worker.open(talk):
        assert worker.wait_told(2) == ["a turn", frames.Close(1000, "")]


def test_a_turn_for_nobody_is_a_turn_all_the_same(serve: Serve) -> None:
    """Its owner learns in it that the client is gone, so that stream_fn's finally blocks run alone."""
    worker = serve()

    def talk(opened: Line) -> None:
        opened.receive()
        opened.begin()

    worker.open(talk).close()
    assert worker.wait_told(2) == [Abandoned, frames.Close(1006, "")]
    assert not worker.lane._running


def test_last_words_have_an_end(serve: Serve) -> None:
    worker = serve()

    def talk(opened: Line) -> int:
        assert opened.receive() is None
        count = 0
        while opened.say(TEXT, b"more"):
            time.sleep(0.02)
            count += 1
            opened.begin()
            opened.end()
        return count

    with worker.open(talk):
        worker.leave = 1001
        assert 1 < worker.wait_told(1)[0] < 30


def test_a_lane_thread_is_free_again_when_the_turn_is_over(serve: Serve) -> None:
    worker = serve()

    def talk(opened: Line) -> str:
        opened.begin()
        opened.end()
        return "done"

    with worker.open(talk):
        worker.wait_told(1)
    if isinstance(worker.lane, ThreadLane):
        assert worker.lane.submit(Job(str, 1), time.monotonic() + PATIENCE_S, Timings()) == "1"
