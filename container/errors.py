"""The errors a request or a start can end in, and how each is told to the client.

Raised everywhere in container/; turned into an HTTP answer by app, into a last log line by the supervisor.
"""

from __future__ import annotations

import errno
from http import HTTPStatus
from typing import Any

# Not http.client.responses, which is the same: it imports ssl and email, a fifth of what PID 1 takes to start.
PHRASES = {status.value: status.phrase for status in HTTPStatus}
BODY_LIMIT_CHARS = 2048  # more of an error body does not reach the client: sagemaker-runtime ModelError.OriginalMessage


class ServingError(Exception):
    """A request that ends in an error answer: an HTTP status and a sentence that says what to change."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}

    def problem(self, request_id: str) -> dict[str, Any]:
        """The RFC 9457 problem object, its detail cut so that the whole body stays under BODY_LIMIT_CHARS."""
        return problem(self.status, self.detail, request_id)


class DecodeError(ServingError):
    """The body is not what its Content-Type says."""

    status = HTTPStatus.BAD_REQUEST


class UnknownSession(ServingError):
    """The session was never opened here, was closed, or has expired."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(
        self,
        detail: str = "No session of that id is open here: it was closed, has expired, or belongs to another instance. "
        "Open one with X-Amzn-SageMaker-Session-Id: NEW_SESSION.",
    ) -> None:
        super().__init__(detail)


class NotFound(ServingError):
    """There is nothing of that name."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(ServingError):
    """The path is right, the method is not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(ServingError):
    """What is there stands in the way of what is asked for."""

    status = HTTPStatus.CONFLICT


class InsufficientStorage(ServingError):
    """The memory does not hold it. The platform then unloads other models and tries again."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


class NotAcceptable(ServingError):
    """No media type of the Accept header can be produced."""

    status = HTTPStatus.NOT_ACCEPTABLE


class PayloadTooLarge(ServingError):
    """The body, as sent or as unpacked, is over its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(ServingError):
    """The Content-Type or the Content-Encoding is not one we read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class UpgradeRequired(ServingError):
    """What is no handshake of a WebSocket, where only that is served."""

    status = HTTPStatus.UPGRADE_REQUIRED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})


class UnprocessableInput(ServingError):
    """The body is well-formed, but its columns or shape are not what the model takes."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Overloaded(ServingError):
    """No room, or no time, to serve the request now; the client may try again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class DeadlineExceeded(ServingError):
    """The answer was not there at the request's deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class StreamBroken(ConnectionResetError):
    """An answer in parts failed after its first one: the connection has to end without a clean end.

    To every kind of worker it is a connection that broke, which is logged already.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the answer broke off")


class ConversationOver(ConnectionResetError):
    """A WebSocket is closed: the connection ends without another word. Told to workers as StreamBroken is."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the conversation is over")


class Abandoned(BaseException):
    """Nobody waits for this answer: the client left, or was told that it took too long.

    Not an Exception, so that user code does not take it for an error of its own.
    """


class StartupError(Exception):
    """The server cannot start: phase says where, the message what to change.

    file is the FILE:LINE to change, where it is known and is not where the error was raised.
    """

    def __init__(self, phase: str, message: str, *, file: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.file = file


def problem(status: int, detail: str, request_id: str) -> dict[str, Any]:
    """An RFC 9457 problem object. Titles are the status phrases, as type about:blank asks."""
    room = BODY_LIMIT_CHARS - 256 - len(request_id)
    return {
        "type": "about:blank",
        "title": PHRASES.get(int(status), "Error"),
        "status": int(status),
        "detail": detail if len(detail) <= room else detail[: room - 1] + "…",
        "request_id": request_id,
    }
