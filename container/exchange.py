"""One HTTP exchange: the WSGI environ as a Request, what came of it as an answer and a log line.

Made by app for each request.
"""

from __future__ import annotations

import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from greenlet import GreenletExit

from container import body_files, logs
from container.answers import as_serving_error, check_headers, problem_body
from container.errors import Abandoned, DecodeError, PayloadTooLarge, ServingError, StreamBroken
from container.lane import Timings
from container.request import INFERENCE_ID, Request, Response
from container.settings import Settings
from container.streams import Stream
from container.tally import TALLY

log = logging.getLogger(__name__)

Environ = dict[str, Any]
Answer = tuple[bytes, int, dict[str, str]]
"""Body, status and headers, in the order that a Flask view may return."""

UNBUFFERED = {"X-Accel-Buffering": "no"}  # nginx hands each part on as it comes
PROBLEM = "application/problem+json"
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
REQUEST_START = re.compile(r"t=(\d{1,12}(?:\.\d{1,9})?)")  # nginx: proxy_set_header X-Request-Start "t=${msec}"
LIMIT_SETTING = " of SAGEMAKER_MAX_PAYLOAD_IN_MB"
CLAIM = "serving.claim"
"""Key of the environ: a function of the worker that is true for the first who asks to answer this request."""
INFERENCE_ID_KEY = f"HTTP_{INFERENCE_ID.upper().replace('-', '_')}"


class Headers(Mapping[str, str]):
    """The request's headers by name, case ignored, read from the WSGI environ without a copy."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
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


class Exchange:
    """A request from its arrival to its log line. It reads the environ itself: a header costs one look-up."""

    __slots__ = ("_environ", "_file", "bytes_in", "error", "received", "request_id", "timings")

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._file: BinaryIO | None = None
        given = environ.get("HTTP_X_REQUEST_ID", "")
        self.request_id: str = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.received = time.monotonic() - _age_s(environ.get("HTTP_X_REQUEST_START", ""))
        self.timings = Timings()
        self.bytes_in = 0
        self.error: str | None = None

    def answer(self, produce: Callable[[Exchange], Response]) -> tuple[Iterable[bytes], int, dict[str, str]]:
        """What produce returns, or whatever it raises as problem JSON; logged under the request's id either way.

        The body is a list of one, or an iterator with a close() that makes its parts as they are asked for.
        """
        token = logs.request_id.set(self.request_id)
        try:
            response = produce(self)
            check_headers(response.content_type, response.headers)
        except (Abandoned, GreenletExit):  # there is nobody to answer
            self._close_file()
            raise
        except BaseException as error:  # sys.exit() or a panic of a Rust library in a handler must not end the worker
            return self._whole(self._failure(error))
        finally:
            logs.request_id.reset(token)
        if isinstance(response.body, bytes):
            return self._whole(self._answer(200, response.body, response.content_type, response.headers))
        self.claim()
        return self._parts(response.body), 200, self._headers(response.content_type, UNBUFFERED, response.headers)

    def refuse(self, error: Exception) -> Answer:
        """The error as problem JSON, logged."""
        token = logs.request_id.set(self.request_id)
        try:
            answer = self._failure(error)
        finally:
            logs.request_id.reset(token)
        self._whole(answer)
        return answer

    def _whole(self, answer: Answer) -> tuple[list[bytes], int, dict[str, str]]:
        body, status, headers = answer
        self._close_file()
        self.claim()
        self._log(status, len(body))
        return [body], status, headers

    def _parts(self, stream: Stream) -> Iterator[bytes]:
        """The parts, then the log line. Raises StreamBroken where the handler fails."""
        sent_bytes = 0
        logs.request_id.set(self.request_id)
        try:
            for part in stream:
                sent_bytes += len(part)
                yield part
        except Exception as error:
            self.error = type(error).__name__
            log.error("stream_broken", exc_info=error)
            raise StreamBroken from error
        finally:
            stream.close()
            self._close_file()
            logs.request_id.set(None)
            self._log(200, sent_bytes, parts=stream.count)

    def claim(self) -> None:
        """One answer only: this one, or that of the worker's watch at the deadline. Raises Abandoned."""
        claim = self._environ.get(CLAIM)
        if claim is not None and not claim():
            raise Abandoned

    def request(self, settings: Settings) -> Request:
        """Read the request, its body whole or as a file that is there until the answer has been sent.

        Raises PayloadTooLarge, or DecodeError when the client left half-way.
        """
        environ = self._environ
        return Request(
            body=self._read_body(settings),
            content_type=environ.get("CONTENT_TYPE"),
            accept=environ.get("HTTP_ACCEPT"),
            content_encoding=environ.get("HTTP_CONTENT_ENCODING"),
            headers=Headers(environ),
            request_id=self.request_id,
            received=self.received,
            deadline=self.received + settings.deadline_s,
            timings=self.timings,
        )

    def _read_body(self, settings: Settings) -> bytes | BinaryIO:
        limit_bytes = settings.max_body_bytes
        length = self._environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal():
            if body_files.PATH in self._environ:
                return self._open_file(settings)
            return self._read_chunks(limit_bytes) if self._environ.get("wsgi.input_terminated") else b""
        self.bytes_in = int(length)
        self._check_size(limit_bytes)
        body: bytes = self._environ["wsgi.input"].read(self.bytes_in)
        if len(body) < self.bytes_in:
            raise DecodeError(f"The body ended after {len(body)} of {length} bytes.")
        return body

    def _open_file(self, settings: Settings) -> BinaryIO:
        self._file = body_files.opened(self._environ, settings.run_dir)
        self.bytes_in = os.fstat(self._file.fileno()).st_size
        self._check_size(settings.max_body_bytes)
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def _check_size(self, limit_bytes: int) -> None:
        if 0 < limit_bytes < self.bytes_in:
            raise PayloadTooLarge(f"The body has {self.bytes_in} bytes, the limit is {limit_bytes}{LIMIT_SETTING}.")

    def _read_chunks(self, limit_bytes: int) -> bytes:
        """A body without Content-Length: its end is the end of the input (Transfer-Encoding: chunked)."""
        body: bytes = self._environ["wsgi.input"].read(limit_bytes + 1 if limit_bytes else -1)
        self.bytes_in = len(body)
        if 0 < limit_bytes < len(body):
            raise PayloadTooLarge(f"The body has more than {limit_bytes} bytes, the limit{LIMIT_SETTING}.")
        return body

    def _failure(self, error: BaseException) -> Answer:
        """The error answer; with the traceback in the log unless the error is an answer by itself."""
        told = as_serving_error(error)
        try:
            check_headers(PROBLEM, told.headers)
        except ValueError as unsafe:
            return self._failure(unsafe)
        self.error = type(error).__name__
        if told.status >= 500 and not isinstance(error, ServingError):
            log.error("request_failed", exc_info=error)
        return self._answer(int(told.status), problem_body(told, self.request_id), PROBLEM, told.headers)

    def _answer(self, status: int, body: bytes, content_type: str, more: Mapping[str, str]) -> Answer:
        return body, status, self._headers(content_type, {"Content-Length": str(len(body))}, more)

    def _headers(self, content_type: str, length: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
        return {"Content-Type": content_type, **length, "X-Request-Id": self.request_id, **more}

    def _log(self, status: int, bytes_out: int, parts: int | None = None) -> None:
        environ, timings = self._environ, self.timings
        total_ms = round((time.monotonic() - self.received) * 1000, 3)
        measured = (timings.queue_ms, timings.decode_ms, timings.predict_ms, timings.encode_ms, total_ms)
        TALLY.add(status, (*measured, timings.batch_rows), (timings.rows, self.bytes_in, bytes_out))
        fields = {
            "request_id": self.request_id,
            "status": status,
            "request": f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"[: logs.REQUEST_LIMIT_CHARS],
            "bytes_in": self.bytes_in,
            "bytes_out": bytes_out,
            "queue_ms": timings.queue_ms,
            "decode_ms": timings.decode_ms,
            "predict_ms": timings.predict_ms,
            "encode_ms": timings.encode_ms,
            "total_ms": total_ms,
            "rows": timings.rows,
            "batch_rows": timings.batch_rows,
            "inference_id": environ.get(INFERENCE_ID_KEY),
            "content_type": environ.get("CONTENT_TYPE"),
            "accept": environ.get("HTTP_ACCEPT"),
        }
        if parts is not None:
            fields["parts"] = parts
        if self.error is not None:
            fields["error"] = self.error
        logs.info(log, "request", fields)


def _age_s(request_start: str) -> float:
    """How long ago nginx had the request; 0 if it does not say or the clocks disagree."""
    found = REQUEST_START.fullmatch(request_start)
    return max(0.0, time.time() - float(found[1])) if found else 0.0
