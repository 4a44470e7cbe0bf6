"""The WSGI app: routes, request ids, the error answers and the request log. The only file that knows Flask.

create_app is called by wsgi.py; gunicorn calls the app for each request.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from container import errors, handlers, logs
from container.errors import PayloadTooLarge, ServingError, StartupError
from container.lane import Timings
from container.model import INFERENCE_ID, Model, Request, Response
from container.settings import Settings

log = logging.getLogger(__name__)

MODEL_CODE_FAILED = "The model code failed; the log has the traceback under this request_id."
ROUTES = "Nothing is served here. Use POST /invocations or GET /ping."
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2, token
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 5.5: no line breaks
RESERVED_HEADERS = ("connection", "content-length", "content-type", "transfer-encoding", "x-request-id")
LOGGED_PATH_CHARS = 200


def create_app(settings: Settings, predictor: ModuleType) -> Serving | OldStyle:
    """Load the model and return the app for it; or the predictor's own Flask app, if it is of the old style."""
    if is_old_style(settings, predictor):
        return OldStyle(predictor)
    return Serving(settings, Model.load(settings, predictor))


def is_old_style(settings: Settings, predictor: ModuleType) -> bool:
    """Whether predictor.py brings its own `app`, as the 2018 sample's did. StartupError if it has both worlds."""
    if not callable(getattr(predictor, "app", None)):
        return False
    if handlers.program_path(settings.model_dir, settings.program).is_file():
        return False
    if both := [name for name in handlers.ARGUMENTS if hasattr(predictor, name)]:
        raise StartupError("handlers", f"predictor.py defines app and {both[0]}; keep one: app bypasses the functions")
    return True


class OldStyle:
    """A predictor's own WSGI app, served as it is."""

    model = None

    def __init__(self, predictor: ModuleType) -> None:
        self.wsgi = predictor.app
        log.warning("old_style_predictor", extra={
            "detail": "predictor.py has its own app: deadlines, load shedding, problem JSON, the request log "
                      "and warm-up are bypassed; define model_fn and predict_fn instead to have them"
        })  # fmt: skip

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.wsgi(environ, start_response)  # type: ignore[no-any-return]


class Serving(flask.Flask):
    """POST /invocations and GET /ping for one model; everything else is refused in the same words."""

    def __init__(self, settings: Settings, model: Model) -> None:
        super().__init__(__name__, static_folder=None)
        self.settings = settings
        self.model = model
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes or None
        self.url_map.merge_slashes = False  # a wrong path is a 404, not a redirect that no SageMaker client follows
        self.add_url_rule("/invocations", view_func=self.invocations, methods=["POST"], provide_automatic_options=False)
        self.add_url_rule("/ping", view_func=self.ping, methods=["GET"], provide_automatic_options=False)
        self.register_error_handler(Exception, self.refuse)

    def ping(self) -> flask.Response:
        """Empty; 200 when a request would be served now. Behind nginx it is nginx that answers, from a file."""
        ready = self.model.started and not self.model.stuck()
        return flask.Response(status=200 if ready else 503, content_type="text/plain")

    def invocations(self) -> flask.Response:
        return self._answer(self._invoke)

    def refuse(self, error: Exception) -> flask.Response:
        """Flask's one error handler: unknown paths and methods, and faults of our own."""

        def fail(_exchange: Exchange) -> Response:
            raise error

        return self._answer(fail)

    def _invoke(self, exchange: Exchange) -> Response:
        headers = exchange.headers
        request = Request(
            body=_read_body(self.settings),
            content_type=headers.get("Content-Type") or None,
            content_encoding=headers.get("Content-Encoding"),
            accept=headers.get("Accept"),
            headers=headers,
            request_id=exchange.request_id,
            received=exchange.received,
            deadline=exchange.received + self.settings.deadline_s,
            timings=exchange.timings,
        )
        return self.model.invoke(request)

    def _answer(self, produce: Callable[[Exchange], Response]) -> flask.Response:
        """Turn what produce returns or raises into the HTTP answer, and log the request."""
        exchange = Exchange(flask.request.environ)
        token = logs.request_id.set(exchange.request_id)
        try:
            response = exchange.http(200, produce(exchange))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # sys.exit() in a handler must not end the worker
            response = exchange.failure(error)
        exchange.log(response)
        logs.request_id.reset(token)
        return response


class Exchange:
    """One request from its arrival to its log line."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.headers = Headers(environ)
        self.path = f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"[:LOGGED_PATH_CHARS]
        given = self.headers.get("X-Request-Id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.received = time.monotonic() - _age_s(self.headers.get("X-Request-Start"))
        self.timings = Timings()
        self.error: str | None = None

    def http(self, status: int, response: Response) -> flask.Response:
        check_headers(response)
        answer = flask.Response(response.body, status, dict(response.headers), content_type=response.content_type)
        answer.headers["X-Request-Id"] = self.request_id
        return answer

    def failure(self, error: BaseException) -> flask.Response:
        """The error answer; with the traceback in the log unless the error is an answer by itself."""
        told = as_serving_error(error)
        self.error = type(error).__name__
        if told.status >= 500 and not isinstance(error, ServingError):
            log.error("request_failed", exc_info=error)
        body = problem_body(told, self.request_id)
        return self.http(told.status, Response(body, "application/problem+json", told.headers))

    def log(self, response: flask.Response) -> None:
        log.info("request", extra={
            "status": response.status_code,
            "request": self.path,
            "error": self.error,
            "bytes_in": int(self.headers.get("Content-Length") or 0),
            "bytes_out": response.content_length,
            **{name: round(value, 3) for name, value in asdict(self.timings).items() if value is not None},
            "total_ms": round((time.monotonic() - self.received) * 1000, 3),
            "inference_id": self.headers.get(INFERENCE_ID),
            "content_type": self.headers.get("Content-Type"),
            "accept": self.headers.get("Accept"),
        })  # fmt: skip


class Headers(Mapping[str, str]):
    """The request's headers by name, case ignored, read from the WSGI environ without a copy."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        return str(self._environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"])

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                yield key.removeprefix("HTTP_").replace("_", "-").title()

    def __len__(self) -> int:
        return sum(1 for _ in self)


def as_serving_error(error: BaseException) -> ServingError:
    """What the client is told of an error: its own words if it has an HTTP status, else that the model code failed."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, RequestEntityTooLarge):
        return PayloadTooLarge("The body is larger than SAGEMAKER_MAX_PAYLOAD_IN_MB allows. Send less in one request.")
    if isinstance(error, HTTPException):
        kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        words = ROUTES if error.code in (404, 405) else error.description
        return _with_status(error.code or 500, words or "", kept)
    if isinstance(error, MemoryError):
        return ServingError("The server ran out of memory for this request. Send less in one request.")
    for status in (getattr(error, "status", None), getattr(error, "status_code", None)):
        if isinstance(status, int) and 400 <= status <= 599:  # as the inference toolkit's errors have it
            return _with_status(status, str(error), {})
    return ServingError(MODEL_CODE_FAILED)


def problem_body(error: ServingError, request_id: str) -> bytes:
    """The RFC 9457 body, its detail shortened until the whole is no longer than reaches a client."""
    detail = error.detail
    while True:
        told = errors.problem(error.status, detail, request_id)
        body = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        if len(body) <= errors.BODY_LIMIT_CHARS:
            return body
        detail = told["detail"][: len(told["detail"]) * 3 // 4] + "…"


def check_headers(response: Response) -> None:
    """Refuse what a handler may not set: a line break would start a header of its own, a length would cut the body."""
    for name, value in {"Content-Type": response.content_type, **response.headers}.items():
        if not HEADER_NAME.fullmatch(name) or (name.lower() in RESERVED_HEADERS and name != "Content-Type"):
            raise ValueError(f"response header {name!r} cannot be set by a handler")
        if not isinstance(value, str) or not HEADER_VALUE.fullmatch(value):
            raise ValueError(f"response header {name} must be a string of Latin-1 characters on one line")


def _with_status(status: int, detail: str, headers: dict[str, str]) -> ServingError:
    error = ServingError(detail, headers=headers)
    error.status = status
    return error


def _read_body(settings: Settings) -> bytes:
    length = flask.request.content_length
    if length is not None and 0 < settings.max_body_bytes < length:
        raise PayloadTooLarge(
            f"The body has {length} bytes, the limit is {settings.max_body_bytes} (SAGEMAKER_MAX_PAYLOAD_IN_MB)."
        )
    return flask.request.get_data(cache=False)


def _age_s(request_start: str | None) -> float:
    """How long ago nginx had the request, from its header `t=SECONDS`; 0 if there is none or clocks disagree."""
    found = re.fullmatch(r"t=(\d{1,12}(?:\.\d{1,9})?)", request_start or "")
    return max(0.0, time.time() - float(found[1])) if found else 0.0
