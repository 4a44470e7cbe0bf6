"""One HTTP connection of the default worker: a greenlet that reads a request, calls the app, writes the answer.

Its code reads in straight lines and steps aside where it must wait; loop resumes it. Only nginx is at the other end.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic
from typing import Any, Protocol

from greenlet import GreenletExit, greenlet

from container import http
from container.errors import Abandoned, ConversationOver, ServingError, StreamBroken
from container.exchange import CLAIM
from container.http import Environ, Header

log = logging.getLogger(__name__)

JOIN_BYTES = 64 * 1024  # a body up to here is sent in one piece with its head

StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


class Host(Protocol):
    """What a connection needs of the loop."""

    wsgi: Wsgi
    deadline_s: float
    limit_bytes: int
    buffer: memoryview
    lines: Any

    def watch(self, connection: Connection, events: int) -> None: ...
    def forget(self, connection: Connection) -> None: ...
    def keeps(self, connection: Connection) -> bool: ...


class Pending:
    """A request in progress. The connection or, at the deadline, the worker's watch answers it, never both."""

    __slots__ = ("_unanswered", "deadline", "environ")

    def __init__(self, environ: Environ, deadline: float) -> None:
        self.environ = environ
        self.deadline = deadline
        self._unanswered = threading.Lock()

    def claim(self) -> bool:
        """True for the one who may answer: the first to ask."""
        return self._unanswered.acquire(blocking=False)


class Connection(greenlet):  # type: ignore[misc]  # greenlet has no types
    """Serves one request after the other until either side closes."""

    def __init__(self, loop: Host, sock: socket.socket, listener: socket.socket) -> None:
        """listener: where it was accepted."""
        super().__init__()
        self.listener = listener
        self.keep = False
        self.loop = loop
        self.sock = sock
        self.requests = http.Requests(loop.limit_bytes)
        self.pending: Pending | None = None
        self.answering = False  # the claim to pending is ours
        self.last_word = threading.Lock()  # held by the one who closes the socket, or whom that must not overtake
        self.watched = self.awaited = 0  # selector events
        self.gone = False

    def run(self) -> None:
        """The greenlet's whole life."""
        try:
            while (environ := self.receive()) is not None and self.respond(environ):
                environ = None  # nothing of it may stay while the connection idles
        except (StreamBroken, ConversationOver):
            pass  # logged where it broke
        except (Abandoned, GreenletExit, ConnectionError):
            self._log_leaving()
        except BaseException as error:  # SystemExit and its like would come up in the loop, and end it for all
            self._refuse(error)
        finally:
            with self.last_word:
                self.loop.forget(self)
                self.sock.close()

    def ready(self, events: int) -> None:
        """Called by the loop: go on, if that is what was waited for. Anything else is the client leaving."""
        if self.awaited & events:
            self.switch()
        else:
            self.loop.watch(self, 0)  # until it reads again, or the loop would find it ready for ever
            self.gone = self._has_left()

    # reading

    def receive(self) -> Environ | None:
        """The next request, its body read whole; None when the client has no more."""
        self.pending, self.answering = None, False
        while not self.requests.ready:
            data = self._read()
            if not data:
                return None
            self.requests.feed(data)
        environ, self.keep = self.requests.ready.popleft()
        self.pending = Pending(environ, monotonic() + self.loop.deadline_s)
        environ[CLAIM] = self.claim
        if self.requests.upgrade is not None and self.loop.lines is not None:
            self.loop.lines.offer(environ, self)
        return environ

    def claim(self) -> bool:
        """Whether it is still ours to answer; once it is, it stays so."""
        self.answering = self.answering or (self.pending is not None and self.pending.claim())
        return self.answering

    def _read(self) -> memoryview:
        """What has come, in the loop's buffer until the next read; empty at the end."""
        self._await(EVENT_READ)
        try:
            return self.loop.buffer[: self.sock.recv_into(self.loop.buffer)]
        except ConnectionError:
            return self.loop.buffer[:0]

    # writing

    def respond(self, environ: Environ) -> bool:
        """Answer; whether the connection may serve another request."""
        answer = _Answer(self, environ)
        body = self.loop.wsgi(environ, answer.start_response)
        try:
            answer.write_all(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return answer.keep

    def send(self, data: bytes) -> None:
        """Send all of it, however slowly it is read."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                self._await(EVENT_WRITE)

    def step_aside(self) -> None:
        """Let the loop serve others that are ready, until it is this one's turn again."""
        self._await(EVENT_WRITE)

    def _refuse(self, error: BaseException) -> None:
        """What the parser refuses, or a fault outside of the app, as problem JSON."""
        if self.pending is not None and (self.answering or not self.claim()):
            log.error("answer_broken", exc_info=error)
            return
        given = self.pending.environ.get("HTTP_X_REQUEST_ID") if self.pending else None
        told = error if isinstance(error, http.Refused) else ServingError(http.FAULT)
        self.last_words(http.refuse(error, told, given))

    def last_words(self, data: bytes) -> None:
        """Sent without waiting, after which the connection closes. Another thread has to hold last_word."""
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def _log_leaving(self) -> None:
        if self.pending is not None:
            log.info("client_left", extra={"request_id": self.pending.environ.get("HTTP_X_REQUEST_ID")})

    def _has_left(self) -> bool:
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _await(self, events: int) -> None:
        self.loop.watch(self, events)
        self.awaited = events
        self.parent.switch()
        self.awaited = 0


class _Answer:
    """What the app says of one response, and how far it has been sent."""

    __slots__ = ("_connection", "_headers", "_method", "_status", "_version", "chunked", "keep", "started")

    def __init__(self, connection: Connection, environ: Environ) -> None:
        self._connection = connection
        self._method, self._version = environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"]
        self._status = ""
        self._headers: list[Header] = []
        self.keep = connection.keep
        self.chunked = self.started = False

    def start_response(self, status: str, headers: list[Header], exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's (PEP 3333)."""
        if exc_info and self.started:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status, self._headers = status, headers
        return self.write

    def write_all(self, body: Iterable[bytes]) -> None:
        """Send head and body: at once if the body is one piece, else piece by piece as they come."""
        if isinstance(body, (list, tuple)) and len(body) <= 1:
            self._finish(body[0] if body else b"")
            return
        for piece in body:
            self.write(piece)
        self._finish(b"")

    def write(self, piece: bytes) -> None:
        """Send one piece of the body, and let others go on before the app makes the next."""
        if piece:
            head = self._head(None)
            self._send(head, b"" if self._has_no_body() else http.chunk(piece) if self.chunked else piece)
            self._connection.step_aside()

    def _finish(self, piece: bytes) -> None:
        if self.started:
            self._send(b"", http.LAST_CHUNK if self.chunked else b"")
        else:
            self._send(self._head(len(piece)), b"" if self._has_no_body() else piece)

    def _head(self, length: int | None) -> bytes:
        """The head if it was not sent yet. Raises Abandoned if the client was told that it took too long."""
        if self.started:
            return b""
        self.started = True
        self.keep = self.keep and self._connection.loop.keeps(self._connection)
        if not _says_length(self._headers) and not self._has_no_body():
            if length is not None:
                self._headers = [*self._headers, ("Content-Length", str(length))]
            else:
                self.chunked = self._version != "HTTP/1.0"
                self.keep = self.keep and self.chunked
        head = http.head(self._status, self._headers, chunked=self.chunked, keep=self.keep)
        if not self._connection.claim():
            raise Abandoned
        return head

    def _send(self, head: bytes, data: bytes) -> None:
        if head and len(data) > JOIN_BYTES:
            self._connection.send(head)
            head = b""
        if head or data:
            self._connection.send(head + data if head else data)

    def _has_no_body(self) -> bool:
        return self._method == "HEAD" or self._status[:3] in ("204", "304")


def _says_length(headers: list[Header]) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)
