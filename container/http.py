"""HTTP/1.1 as bytes: requests to WSGI environs, status and headers to a response's head. Called by connection.

The parsing itself is httptools', the C parser of Node.js and uvicorn.
"""

from __future__ import annotations

import io
import logging
import sys
import uuid
from collections import deque
from functools import lru_cache
from typing import Any

import httptools
from gunicorn.util import unquote_to_wsgi_str

from container.answers import problem_body, status_line
from container.errors import ServingError

log = logging.getLogger(__name__)

Environ = dict[str, Any]
Header = tuple[str, str]

# nginx is stricter than these: they hold for who reaches the socket without it
LINE_LIMIT_BYTES = 32 * 1024
FIELD_LIMIT_BYTES = 16 * 1024
FIELDS_LIMIT = 256
HEAD_LIMIT_BYTES = 512 * 1024

LINE_TOO_LONG = "The request line is too long. Use POST /invocations without a query."
TOO_LARGE = "The headers are too large. Send fewer or shorter headers."
FAULT = "The server failed. The log has more under this request_id."

LAST_CHUNK = b"0\r\n\r\n"

_PLAIN = ("CONTENT_TYPE", "CONTENT_LENGTH")
_EVERY_ENVIRON: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "REMOTE_ADDR": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class Refused(ServingError):
    """A request that is not answered by the app."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Requests:
    """The requests that come over one connection: feed(bytes), then look into ready."""

    def __init__(self, limit_bytes: int) -> None:
        """limit_bytes of a body; 0 means no limit."""
        self.ready: deque[tuple[Environ, bool]] = deque()
        """Environs of whole requests, and whether the connection may serve another one after it."""
        self.upgrade: bytes | None = None
        """What came behind a request that asks for another protocol, from which on no more HTTP is read."""
        self._limit_bytes = limit_bytes
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def feed(self, data: bytes | memoryview) -> None:
        """Parse what came. Raises Refused."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.upgrade = bytes(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None  # what one of the methods below raised
        except httptools.HttpParserError as error:
            raise Refused(400, f"The request is not valid HTTP/1.1: {type(error).__name__}.") from error
        self._check_head(len(data))

    # called by the parser, in this order

    def on_message_begin(self) -> None:
        self._environ: Environ = dict(_EVERY_ENVIRON)
        self._target = b""
        self._body: list[bytes] = []
        self._head_bytes = self._fields = self._body_bytes = 0
        self._in_head, self._handed_over = True, False

    def on_url(self, target: bytes) -> None:
        self._target += target
        if len(self._target) > LINE_LIMIT_BYTES:
            raise Refused(414, LINE_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # a trailer, which must not pass for a header: RFC 9110 6.5.1
            return
        self._fields += 1
        if len(name) + len(value) > FIELD_LIMIT_BYTES or self._fields > FIELDS_LIMIT:
            raise Refused(431, TOO_LARGE)
        key = _key(name)
        if key in _PLAIN and key in self._environ:
            raise Refused(400, f"The request has the header {name.decode('latin-1')} twice.")
        if key in self._environ:
            self._environ[key] += "," + value.decode("latin-1")
        elif key is not None:
            self._environ[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._environ["REQUEST_METHOD"] = self._parser.get_method().decode("latin-1")
        self._environ["SERVER_PROTOCOL"] = f"HTTP/{self._parser.get_http_version()}"
        self._read_target()
        length = self._environ.get("CONTENT_LENGTH", "")
        if length.isdecimal() and 0 < self._limit_bytes < int(length):
            self._hand_over(keep=False)  # the app says how large it may be

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if not self._handed_over:
            self._body.append(data)
            if 0 < self._limit_bytes < self._body_bytes:
                self._hand_over(keep=False)

    def on_message_complete(self) -> None:
        if not self._handed_over:
            self._hand_over(keep=self._parser.should_keep_alive() and not self._parser.should_upgrade())

    def _check_head(self, fed_bytes: int) -> None:
        """A header is only told once it is whole; one without end must not fill the memory until then."""
        if self._in_head:
            self._head_bytes += fed_bytes
            if self._head_bytes > HEAD_LIMIT_BYTES:
                raise Refused(431, TOO_LARGE)

    def _read_target(self) -> None:
        target = self._target.partition(b"#")[0]
        if not target.isascii():
            raise Refused(400, "The request is not valid HTTP/1.1: its target is no ASCII.")  # RFC 3986 2
        path, _, query = target.partition(b"?")
        self._environ["PATH_INFO"] = unquote_to_wsgi_str(path.decode("latin-1"))
        self._environ["QUERY_STRING"] = query.decode("latin-1")

    def _hand_over(self, *, keep: bool) -> None:
        """A request whose body is too large goes to the app with what there is; the rest is not read."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._environ["wsgi.input"] = io.BytesIO(body)
        self._handed_over = True
        self.ready.append((self._environ, keep))
        self._environ, self._body = {}, []  # or an idle connection would hold them until its next request


def head(status: str, headers: list[Header], *, chunked: bool, keep: bool) -> bytes:
    """Status line and headers. Raises ValueError for one that would end the line it stands on."""
    lines = [f"HTTP/1.1 {status}", *map(": ".join, headers)]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    lines.append("Connection: keep-alive" if keep else "Connection: close")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a response header holds a line break")
    return text.encode("latin-1") + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def response(status: str, headers: list[Header], body: bytes) -> bytes:
    """A whole response, after which the connection closes."""
    return head(status, headers, chunked=False, keep=False) + body


def refuse(cause: BaseException, told: ServingError, request_id: str | None) -> bytes:
    """Log a request that got no answer of the app, and answer it: problem JSON, after which the connection closes."""
    request_id = request_id or uuid.uuid4().hex  # what could not be parsed has no headers
    about = {"status": int(told.status), "request_id": request_id, "error": type(cause).__name__}
    log.warning("request_refused", extra=about, exc_info=cause if told.status >= 500 else None)
    body = problem_body(told, request_id)
    headers = [
        ("Content-Type", "application/problem+json"), ("Content-Length", str(len(body))), ("X-Request-Id", request_id),
    ]  # fmt: skip
    return response(status_line(told.status), headers, body)


@lru_cache(1024)
def _key(name: bytes) -> str | None:
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in _PLAIN else f"HTTP_{key}"
