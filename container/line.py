"""A WebSocket: messages in and out, pings, Close from either side, an end at a stop.

Made by lines, spoken through by conversation. The owner of a line is where its stream_fn runs, which it may only while
it has a turn of the lane. How an owner waits is a subclass's: loop_line's are greenlets, thread_line's threads.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections import deque
from contextlib import AbstractContextManager
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic
from typing import Any, Protocol

from container import frames
from container.errors import Abandoned
from container.frames import BadFrame, Close, Event, Frames, Ping, Pong
from container.lines import Lines

PING_S = 30.0  # nginx and the platform take a connection for dead that says nothing for long
SILENCE_S = 3 * PING_S  # without even a pong: the client is gone, and nobody has told
CLOSE_S = 5.0  # for the client to answer our Close
LINGER_S = 1.0  # after a broken frame, for a client that may not have read our Close yet
HELD_BYTES = 1 << 20  # of messages that stream_fn has not taken, or the client has not: then no more is read
READ_BYTES = 64 * 1024
NO_MEMORY = "The server ran out of memory for this message. Send less in one message."
NO_TURN = "The worker has too much to do: stream_fn did not get its turn in time. Try again later."


class Changed(AbstractContextManager[Any], Protocol):
    """What a threading.Condition is: held while a line changes, waited for by its owner."""

    def wait(self) -> Any: ...
    def notify(self) -> Any: ...


class Line:
    """One WebSocket, after the handshake."""

    def __init__(self, lines: Lines, sock: socket.socket, changed: Changed) -> None:
        sock.setblocking(False)
        self.lines = lines
        self.sock = sock
        self.watched = 0  # selector events
        self.rest = b""  # what came behind the handshake
        self.bytes_in = self.bytes_out = 0
        self.ours: Close | None = None
        """The Close that we sent."""
        self.theirs: Close | None = None
        self.gone = False  # the connection ended
        self.broken = False  # what came is no WebSocket: it is not read any further
        self.leaving: int | None = None  # the worker is to end: the code
        self._changed = changed
        self._frames = Frames(lines.terms.limit_bytes)
        self._inbox: deque[str | bytes] = deque()
        self._held_bytes = 0
        self._outbox: deque[memoryview] = deque()
        self._last_words_end_s = self._end_s = float("inf")
        self._heard_s = self._pinged_s = monotonic()
        lines.open.add(self)

    # turns of the lane

    @abstractmethod
    def begin(self) -> None:
        """Wait for a turn. Raises DeadlineExceeded without one, Abandoned in a turn that nobody listens to."""

    @abstractmethod
    def end(self) -> None:
        """Let others have theirs."""

    def _check_listener(self) -> None:
        if self.gone or self.broken:
            raise Abandoned

    # for the owner

    @property
    def over(self) -> bool:
        """Whether nothing that is said would be heard."""
        return self.gone or self.ours is not None or monotonic() > self._last_words_end_s

    def start(self, answer: bytes) -> None:
        """Send the answer to the handshake, after which both sides speak."""
        with self._changed:
            self._send(answer)
            self._take(self.rest)
            self._watch()

    def receive(self) -> str | bytes | None:
        """The next message, awaited; None when there will be no more."""
        with self._changed:
            while not self._inbox:
                if self.gone or self.theirs or self.ours or self.leaving:
                    return None
                self._changed.wait()
            message = self._inbox.popleft()
            self._held_bytes -= len(message)
            self._watch()
            return message

    def say(self, opcode: int, payload: bytes) -> bool:
        """Send a message, however slowly it is read. False if it was dropped, since nobody listens any more."""
        with self._changed:
            if self.over:
                return False
            self._send(frames.frame(opcode, payload))
            while self._outbox and not self.gone:
                self._watch()
                self._changed.wait()
        return True

    def hang_up(self, code: int, reason: str) -> None:
        """Say Close unless that was said, wait for the answer, and forget the line."""
        with self._changed:
            self._close(Close(code, reason))
            self._inbox.clear()
            self._held_bytes = 0
            self._end_s = monotonic() + (LINGER_S if self.broken else CLOSE_S)
            while not self.gone and (self.theirs is None or self._outbox):
                self._watch()
                self._changed.wait()
            self.gone = True
            self.lines.forget(self)

    @property
    def closed_with(self) -> Close:
        """By whoever was first; ABNORMAL if nobody said Close."""
        return self.ours or Close(frames.ABNORMAL, "")

    # for who watches the socket

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        with self._changed:
            if self.gone:
                return
            if events & EVENT_READ:
                self._read()
            if events & EVENT_WRITE:
                self._flush()
            self._watch()
            self._changed.notify()  # last, since a greenlet goes on at once

    def tick(self, now_s: float, leave: int | None) -> None:
        """Once a second: pings, and what has taken too long."""
        with self._changed:
            if self.gone:
                return
            before = self.gone, self.leaving
            if leave is not None and self.leaving is None:
                self.leaving, self._last_words_end_s = leave, now_s + self.lines.terms.last_words_s
            if now_s > self._end_s or (now_s - self._heard_s > SILENCE_S and self.watched & EVENT_READ):
                self.gone = True
            elif now_s - self._pinged_s >= PING_S and self.ours is None:
                self._pinged_s = now_s
                self._send(frames.frame(frames.PING, b""))
            self._watch()
            if before != (self.gone, self.leaving):
                self._changed.notify()

    # inside

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self.gone = True

    def _take(self, data: bytes) -> None:
        self._heard_s = monotonic()
        self.bytes_in += len(data)
        if self.broken or self.theirs:
            return
        try:
            for event in self._frames.feed(data):
                self._handle(event)
                if self.theirs:
                    return
        except BadFrame as error:
            self._break(Close(error.code, error.reason))
        except MemoryError:  # who watches the socket has others to watch
            self._break(Close(frames.TRY_LATER, NO_MEMORY))

    def _break(self, close: Close) -> None:
        self.broken = True
        self._close(close)

    def _handle(self, event: Event) -> None:
        if isinstance(event, Ping):
            if self.ours is None:
                self._send(frames.frame(frames.PONG, event.data))
        elif isinstance(event, Close):
            self.theirs = event
            self._close(event)
        elif not isinstance(event, Pong) and self.ours is None and self.leaving is None:
            self._inbox.append(event)
            self._held_bytes += len(event)

    def _close(self, close: Close) -> None:
        if self.ours is None and not self.gone:
            self.ours = close
            self._send(frames.close_frame(close.code, "" if close is self.theirs else close.reason))

    def _send(self, data: bytes) -> None:
        self._outbox.append(memoryview(data))
        self._flush()

    def _flush(self) -> None:
        try:
            while self._outbox:
                sent = self.sock.send(self._outbox[0])
                self.bytes_out += sent
                if sent < len(self._outbox[0]):
                    self._outbox[0] = self._outbox[0][sent:]
                else:
                    self._outbox.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.gone = True

    def _watch(self) -> None:
        """Read as long as what came is taken, write as long as there is something."""
        reads = not self.gone and self._held_bytes < HELD_BYTES and sum(map(len, self._outbox)) < HELD_BYTES
        events = (EVENT_READ if reads else 0) | (EVENT_WRITE if self._outbox and not self.gone else 0)
        self.lines.watch(self, events)
