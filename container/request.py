"""A request as app hands it to the model, what the model gives back, and what a handler may know of it.

Used by model and by all that stand between it and HTTP: exchange, conversation, the processes of many models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, BinaryIO

from container.lane import Timings
from container.streams import Stream

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"


@dataclass(slots=True)
class Request:
    """What app hands over. headers ignore case; received and deadline are monotonic()."""

    body: bytes | BinaryIO
    """A file where it is large. Whoever made the request closes it."""
    content_type: str | None
    accept: str | None
    received: float
    deadline: float
    content_encoding: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    timings: Timings = field(default_factory=Timings)
    """Filled in on the way, so that a request that fails half-way is logged with what it reached."""

    def whole(self) -> bytes:
        """The body, wherever it is."""
        return self.body if isinstance(self.body, bytes) else self.body.read()

    def beginning(self, count: int) -> bytes:
        """At least so many bytes of the body, if it has them. A file is at its start again."""
        if isinstance(self.body, bytes):
            return self.body
        found = self.body.read(count)
        self.body.seek(0)
        return found


@dataclass(slots=True)
class Response:
    """What app sends back, with status 200."""

    body: bytes | Stream
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """What a handler may know of its request: the last argument of every function that takes one more."""

    content_type: str = ""
    accept: str = ""
    deadline: float = float("inf")
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    response_headers: dict[str, str] = field(default_factory=dict)
    """What the response shall carry, such as X-Amzn-SageMaker-Custom-Attributes: nothing comes back unasked."""
    session: dict[str, Any] | None = None
    """What the session of this request remembers; change it. None without one: SAGEMAKER_ENABLE_STATEFUL_SESSIONS."""
    state: dict[str, Any] = field(default_factory=dict)
    """Yours: what one of your functions wants to tell the next one about this request."""

    @property
    def inference_id(self) -> str | None:
        return self.headers.get(INFERENCE_ID)

    @property
    def custom_attributes(self) -> str | None:
        return self.headers.get(CUSTOM_ATTRIBUTES)

    def remaining_s(self) -> float:
        """Seconds until the client is told that it took too long."""
        return self.deadline - monotonic()
