"""What goes out over HTTP: headers that are safe to send, and errors told as RFC 9457 problem JSON.

Called by app for every answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from werkzeug.exceptions import HTTPException

from container.errors import BODY_LIMIT_CHARS, PHRASES, ServingError, problem

MODEL_CODE_FAILED = "The model code failed; the log has the traceback under this request_id."
OUT_OF_MEMORY = "The server ran out of memory for this request. Send less in one request."
ROUTES = {  # in nginx's words, which answers some of them
    404: "No such path. Use POST /invocations or GET /ping.",
    405: "This method is not allowed here. Use POST /invocations or GET /ping.",
}

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2, token
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 5.5: no line breaks
RESERVED_HEADERS = frozenset(("connection", "content-length", "content-type", "transfer-encoding", "x-request-id"))


def status_line(status: int) -> str:
    return f"{status} {PHRASES.get(status, 'Error')}"


def check_headers(content_type: str, headers: Mapping[str, str]) -> None:
    """Refuse what a handler may not send: a line break would begin a header of its own, a length would cut the body."""
    _check_value("Content-Type", content_type)
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in RESERVED_HEADERS:
            raise ValueError(f"response header {name!r} cannot be set by a handler")
        _check_value(name, value)


def as_serving_error(error: BaseException) -> ServingError:
    """What the client is told of an error: its own words if it has an HTTP status, else that the model code failed."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, MemoryError):
        return ServingError(OUT_OF_MEMORY)
    for status in (getattr(error, "status", None), getattr(error, "status_code", None)):
        if isinstance(status, int) and 400 <= status <= 599:  # as the errors of AWS's inference toolkit have it
            return _with_status(status, str(error) or PHRASES.get(status, "Error"))
    return ServingError(MODEL_CODE_FAILED)


def problem_body(error: ServingError, request_id: str) -> bytes:
    """The RFC 9457 body, its detail shortened until the whole is no longer than what reaches a client."""
    detail = error.detail
    while True:
        told = problem(error.status, detail, request_id)
        body = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        if len(body) <= BODY_LIMIT_CHARS:
            return body
        detail = told["detail"][: len(told["detail"]) * 3 // 4] + "…"


def _of_werkzeug(error: HTTPException) -> ServingError:
    """Flask's own 404 and 405, and what a handler raises with abort()."""
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    of_flask = "url" in (error.description or "").lower()
    detail = ROUTES.get(error.code or 0) if of_flask else None
    return _with_status(error.code or 500, detail or error.description or "", kept)


def _with_status(status: int, detail: str, headers: dict[str, str] | None = None) -> ServingError:
    error = ServingError(detail, headers=headers)
    error.status = status
    return error


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str) or not HEADER_VALUE.fullmatch(value):
        raise ValueError(f"response header {name} must be a string of Latin-1 characters on one line")
