"""An answer in parts: what a handler's generator yields, as bytes that are sent one by one. Made by model, sent by app.

Each step of the generator is a job of the predict lane, as any prediction: streams and other requests take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from container.codecs import json_writer
from container.errors import ServingError
from container.lane import Job, Lane, Timings
from container.media_types import JSON_LINES, MediaType

EVENTS = "text/event-stream"
LINES = JSON_LINES[0]
OF_VALUES = (*JSON_LINES, EVENTS)
"""What any values can be streamed as: one JSON value a line, or an event for each."""

_END = object()


class Stream:
    """The parts of one answer, made as they are asked for. The first is made at once: until then an error is an answer
    like any other."""

    def __init__(self, generator: Generator[Any, None, Any], content_type: str, lane: Lane, *,
                 deadline: float, part_s: float, nan: str) -> None:  # fmt: skip
        """deadline: monotonic(), of the first part; part_s: how long each further one may take.

        Raises what the generator raises, or the lane.
        """
        self._generator = generator
        self._write = writer(content_type, nan)
        self._lane = lane
        self._part_s = part_s
        self.count = 0
        self.on_close: Callable[[], object] = lambda: None
        self._next = self._step(deadline, first=True)

    def __iter__(self) -> Iterator[bytes]:
        """Raises what the generator raises. Close it, whether it came to its end or not."""
        while self._next is not None:
            part, self._next = self._next, None
            self.count += 1
            yield part
            self._next = self._step(monotonic() + self._part_s)

    def close(self) -> None:
        """End the generator where it stands: its finally blocks run."""
        with suppress(ValueError):  # it runs still, past its time, in a thread of the lane
            self._generator.close()
        self.on_close()

    def _step(self, deadline: float, *, first: bool = False) -> bytes | None:
        """The next part; None at the end."""
        job = Job(partial(next, self._generator), _END, admitted=not first)
        part = self._lane.submit(job, deadline, Timings())
        return None if part is _END else self._write(part)


def is_stream(answer: Any) -> bool:
    return isinstance(answer, Generator)


def writer(content_type: str, nan: str) -> Callable[[Any], bytes]:
    """How a part becomes bytes: bytes and str as they are, any other value as a line of JSON or an event."""
    essence = MediaType.parse(content_type).essence
    before, after = (b"data: ", b"\n\n") if essence == EVENTS else (b"", b"\n")

    def write(part: Any) -> bytes:
        if isinstance(part, str):
            return part.encode()
        if isinstance(part, (bytes, bytearray, memoryview)):
            return bytes(part)
        if essence not in OF_VALUES:
            raise ServingError(
                f"a part of the answer is of type {type(part).__name__}: {essence} is streamed as str or bytes; "
                f"other values are streamed as {LINES} or {EVENTS}"
            )
        return before + json_writer.encode(part, nan) + after

    return write
