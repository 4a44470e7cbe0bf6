"""Logging as JSON: one line an event on stdout, a traceback inside a field.

configure() is called once in each process (supervisor, gunicorn master and workers, train);
the rest of container/ calls logging.getLogger(__name__) and passes data as extra={...}.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
import traceback
import warnings
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set by app for the time of one request; every line logged meanwhile carries it."""

REQUEST_LIMIT_CHARS = 200  # of method and path in a line `request`, whoever writes it
TRACEBACK_LIMIT_CHARS = 16_000  # CloudWatch cuts an event at 256 KB; the innermost frames are the useful ones

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, event, pid, request_id, the extra fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        return _line(self.fields(record))

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "pid": record.process,
        }
        if (current := request_id.get()) is not None:
            fields["request_id"] = current
        for key, value in vars(record).items():
            if key not in _STANDARD_FIELDS:
                fields[key] = value
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-TRACEBACK_LIMIT_CHARS:]
        return fields


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes a record with one write call, so that lines of several processes do not mix within a pipe's buffer."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(self.format(record))
        except Exception:
            self.handleError(record)

    def write(self, line: str) -> None:
        """Write a line. BrokenPipeError is no error: whoever read our output is gone, nothing is left to tell."""
        self.acquire()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.stream.write(line + "\n")
                self.stream.flush()
        finally:
            self.release()


def info(logger: logging.Logger, event: str, fields: dict[str, Any]) -> None:
    """logger.info(event, extra=fields) at half its cost, for the one line that each request writes.

    No record is made where nothing but our own handler would see it.
    """
    handlers = logging.root.handlers
    if len(handlers) != 1 or type(handlers[0]) is not LineHandler or logger.handlers:
        logger.info(event, extra=fields)
    elif logger.isEnabledFor(logging.INFO):
        head = {"time": _utc(time.time()), "level": "info", "logger": logger.name, "event": event, "pid": os.getpid()}
        handlers[0].write(_line({**head, **fields}))


def _line(fields: dict[str, Any]) -> str:
    """With orjson in a third of the time; PID 1, which imports nothing but the standard library, has none."""
    orjson = sys.modules.get("orjson")
    if orjson is not None:
        with contextlib.suppress(TypeError):  # it takes no key but text, and no lone surrogate
            return str(orjson.dumps(fields, str), "utf-8")
    return json.dumps(fields, default=str, ensure_ascii=False)


def configure(level: int) -> None:
    """Send every log line and every Python warning of this process to stdout as JSON lines in UTF-8."""
    # What no line of ours shows is not looked up: a fifth of a line's cost. Source: logging HOWTO, "Optimization".
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    if isinstance(sys.stdout, io.TextIOWrapper):  # what UTF-8 lacks, half a character in a file name, is escaped
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = LineHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the signature of warnings.showwarning
    line: str | None = None,  # noqa: ARG001
) -> None:
    where = f"{os.path.basename(filename)}:{lineno}"
    logging.getLogger("warnings").warning(str(message), extra={"category": category.__name__, "where": where})


def _utc(timestamp_s: float) -> str:
    second = int(timestamp_s)
    return f"{_utc_second(second)}.{int((timestamp_s - second) * 1000):03d}Z"


@lru_cache(1)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
