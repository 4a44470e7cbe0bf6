"""A conversation over a WebSocket: stream_fn gets the messages that come, and yields those that go.

Called by app for GET /invocations-bidirectional-stream, where a stream_fn is defined; imported only there.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from greenlet import GreenletExit

from container import frames, logs
from container.answers import MODEL_CODE_FAILED, as_serving_error, status_line
from container.codecs import json_writer
from container.errors import Abandoned, ConversationOver, DecodeError, ServingError, UpgradeRequired
from container.exchange import Environ, Exchange, Headers
from container.line import Line
from container.lines import UPGRADE
from container.model import Model
from container.request import Context
from container.signatures import Function
from container.tally import TALLY

log = logging.getLogger(__name__)

VERSION = "13"
NO_HANDSHAKE = f"This path speaks WebSocket. Open one of version {VERSION} (RFC 6455)."
LEAVING = {frames.GOING_AWAY: "the server is stopping", frames.RESTART: "the worker is being replaced"}
SWITCHING = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {accept}\r\nX-Request-Id: {request_id}\r\n\r\n"
)


@dataclass(slots=True)
class StreamContext(Context):
    """What stream_fn may know of the request that opened the WebSocket."""

    query: str = ""
    """Of its address, which is the client's ModelQueryString."""


def hold(environ: Environ, start_response: Any, model: Model, stream_fn: Function) -> Iterable[bytes]:
    """Answer a handshake and converse until either side closes; ends in ConversationOver. Returns only a refusal."""
    exchange, asked = Exchange(environ), Headers(environ)
    try:
        key = _checked_key(environ)
        loaded = model.loaded_for(asked, monotonic() + model.settings.deadline_s)
    except Exception as error:
        body, status, headers = exchange.refuse(error)
        start_response(status_line(status), list(headers.items()))
        return [body]
    exchange.claim()
    line = environ[UPGRADE]()
    line.start(SWITCHING.format(accept=frames.accept(key), request_id=exchange.request_id).encode())
    context = StreamContext(headers=asked, request_id=exchange.request_id, query=environ.get("QUERY_STRING", ""))
    Conversation(line, model, lambda messages: stream_fn(messages, loaded, context), context).run()
    raise ConversationOver


class Conversation:
    """One of them, from the handshake to the closed line."""

    def __init__(
        self, line: Line, model: Model, answers: Callable[[Iterator[str | bytes]], Any], context: StreamContext
    ) -> None:
        self._line = line
        self._model = model
        self._answers = answers
        self._context = context
        self._began_s = monotonic()
        self._error: BaseException | None = None
        self._received = self._sent = 0

    def run(self) -> None:
        """Serve until it is closed. Raises nothing that stream_fn raises."""
        token = logs.request_id.set(self._context.request_id)
        self._model.served += 1
        try:
            try:
                self._speak()
            except Abandoned:  # whatever there was to say
                pass
            except GreenletExit:
                raise
            except BaseException as error:  # as exchange does: not even sys.exit() may end the worker
                self._error = error
            self._line.hang_up(*self._last_words())
        finally:
            self._line.lines.forget(self._line)
            self._tell()
            logs.request_id.reset(token)

    def messages(self) -> Iterator[str | bytes]:
        """What stream_fn gets. While it waits for the next one, others have the lane."""
        line = self._line
        while True:
            line.end()
            message = line.receive()
            line.begin()
            if message is None:
                return
            self._received += 1
            yield message

    def _speak(self) -> None:
        """Each step of stream_fn, to its next yield or to its next message, is a turn of the lane."""
        line = self._line
        answers: Any = None
        try:
            line.begin()
            answers = iter(self._answers(self.messages()))
            for answer in answers:
                line.end()
                heard = line.say(*self._framed(answer))
                line.begin()
                if not heard:
                    return
                self._sent += 1
        finally:
            try:
                if hasattr(answers, "close"):
                    answers.close()
            finally:
                line.end()

    def _framed(self, answer: Any) -> tuple[int, bytes]:
        """Opcode and payload."""
        if isinstance(answer, str):
            return frames.TEXT, answer.encode()
        if isinstance(answer, (bytes, bytearray, memoryview)):
            return frames.BINARY, bytes(answer)
        return frames.TEXT, json_writer.encode(answer, self._model.settings.json_nan)

    def _last_words(self) -> tuple[int, str]:
        """Code and reason of our Close."""
        if self._error is None:
            leaving = self._line.leaving
            return (leaving, LEAVING[leaving]) if leaving else (frames.NORMAL, "")
        told = as_serving_error(self._error)
        if told.status >= 500 and not isinstance(self._error, ServingError):
            log.error("request_failed", exc_info=self._error)
        reason = told.detail
        if reason == MODEL_CODE_FAILED:
            reason = f"{reason.removesuffix('.')} {self._context.request_id}"
        return _code(int(told.status)), reason

    def _tell(self) -> None:
        line = self._line
        close = line.closed_with
        fields = {
            "code": close.code,
            "reason": close.reason,
            "by": "client" if close is line.theirs or close.code == frames.ABNORMAL else "server",
            "messages_in": self._received,
            "messages_out": self._sent,
            "bytes_in": line.bytes_in,
            "bytes_out": line.bytes_out,
            "total_ms": round((monotonic() - self._began_s) * 1000, 3),
            "inference_id": self._context.inference_id,
        }
        if self._error is not None:
            fields["error"] = type(self._error).__name__
        log.info("conversation", extra=fields)
        TALLY.add(101, (), (None, line.bytes_in, line.bytes_out))


def _checked_key(environ: Environ) -> str:
    """Sec-WebSocket-Key of a handshake by RFC 6455 4.2.1. Raises UpgradeRequired or DecodeError."""
    upgrades = {word.strip().lower() for word in environ.get("HTTP_UPGRADE", "").split(",")}
    if "websocket" not in upgrades or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != VERSION or UPGRADE not in environ:
        raise UpgradeRequired(NO_HANDSHAKE)
    if environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ:
        raise DecodeError("A handshake has no body.")
    key: str = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    try:
        is_one = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        is_one = False
    if not is_one:
        raise DecodeError("Sec-WebSocket-Key is not 16 bytes in base64.")
    return key


def _code(status: int) -> int:
    """What a status of HTTP is in a Close frame."""
    if status in (503, 504):
        return frames.TRY_LATER
    if status == 413:
        return frames.TOO_BIG
    return frames.REFUSED if status < 500 else frames.FAILED
