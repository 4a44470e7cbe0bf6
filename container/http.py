"""HTTP/1.1 as bytes: a parsed request to a WSGI environ, status and headers to a response's head. Called by connection.

The parsing itself is gunicorn's: its C parser where that is installed, 1 us a request, else its Python one, 25 us.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gunicorn.asgi.parser import ParseError, PythonProtocol
from gunicorn.util import unquote_to_wsgi_str

from container.errors import problem

try:
    from gunicorn_h1c import H1CProtocol as Protocol
    from gunicorn_h1c import ParseError as FastParseError
except ImportError:  # no wheel for this platform
    Protocol, FastParseError = PythonProtocol, ParseError

Environ = dict[str, Any]
Header = tuple[str, str]

PARSE_ERRORS: tuple[type[Exception], ...] = (ParseError, FastParseError, ValueError)
LIMITS = {"limit_request_line": 32 * 1024, "limit_request_fields": 256, "limit_request_field_size": 16 * 1024}
"""nginx is stricter; these hold for who reaches the socket without it."""

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


class InvalidTarget(ValueError):
    """The request target is no URI."""


def parser(on_body: Callable[[bytes], Any]) -> Any:
    """A parser for one connection: feed(bytes) until is_complete, then reset() for the next request."""
    return Protocol(on_body=on_body, **LIMITS)


def environ_of(request: Any, body: bytes) -> Environ:
    """The WSGI environ of a parsed request (PEP 3333). Names with an underscore are left out, as nginx does: they could
    pass for others."""
    target = request.path.partition(b"#")[0]
    if not target.isascii():
        raise InvalidTarget  # RFC 3986 2
    path, _, query = target.partition(b"?")
    environ: Environ = {
        **_EVERY_ENVIRON,
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "PATH_INFO": unquote_to_wsgi_str(path.decode("latin-1")),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/1.1" if request.http_version == (1, 1) else "HTTP/1.0",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request.headers:
        key = _key(name)
        if key in environ:
            environ[key] += "," + value.decode("latin-1")
        elif key is not None:
            environ[key] = value.decode("latin-1")
    return environ


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


FAULT = "The server failed. The log has more under this request_id."
LAST_CHUNK = b"0\r\n\r\n"


def response(status: str, headers: list[Header], body: bytes) -> bytes:
    """A whole response, after which the connection closes."""
    return head(status, headers, chunked=False, keep=False) + body


def refusal(status: int, detail: str, request_id: str) -> bytes:
    """A response of problem JSON to a request that never reached the app."""
    told = problem(status, detail, request_id)
    body = json.dumps(told).encode()
    headers = [
        ("Content-Type", "application/problem+json"), ("Content-Length", str(len(body))), ("X-Request-Id", request_id),
    ]  # fmt: skip
    return response(f"{status} {told['title']}", headers, body)


def problem_of(error: BaseException) -> tuple[int, str]:
    """The status and the sentence for a fault that was found before or after app."""
    name = type(error).__name__
    if name == "LimitRequestHeaders":
        return 431, "The headers are too large. Send fewer or shorter headers."
    if name == "LimitRequestLine":
        return 414, "The request line is too long. Use POST /invocations without a query."
    if isinstance(error, PARSE_ERRORS) or type(error).__module__.startswith("gunicorn.http"):
        return 400, f"The request is not valid HTTP/1.1: {name}."
    return 500, FAULT


@lru_cache(1024)
def _key(name: bytes) -> str | None:
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in _PLAIN else f"HTTP_{key}"
