"""POST /v1/chat/completions: OpenAI's interface, answered by the predictor's chat_fn. Called by Model.chat.

chat_fn(request, model[, context]) gets the request as a dict. It returns a text or yields parts of one, and everything
around it is made here; or it returns, or yields, whole objects of the interface, which are sent as they are. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-openai-compatible.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from container.codecs import json_codec
from container.errors import DecodeError

DONE = "data: [DONE]\n\n"


class Completion:
    """One answer in the making."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._name = order.get("model") or "model"
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def whole(self, answer: Any) -> Any:
        """The object of a text, or of parts of one; any other answer as it is."""
        if isinstance(answer, Generator):
            answer = _joined(answer)
        return self._object("chat.completion", message={"role": "assistant", "content": answer}, finish="stop") \
            if isinstance(answer, str) else answer  # fmt: skip

    def parts(self, answer: Any) -> Iterator[Any]:
        """Events of the parts, and the end that clients wait for."""
        for part in answer if isinstance(answer, Generator) else [answer]:
            yield self._part({"role": "assistant", "content": part}) if isinstance(part, str) else part
        yield self._part({}, finish="stop")
        yield DONE

    def _part(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._object("chat.completion.chunk", delta=delta, finish=finish)

    def _object(self, kind: str, finish: str | None, **content: Any) -> dict[str, Any]:
        choice = {"index": 0, **content, "finish_reason": finish}
        return {"id": self._id, "object": kind, "created": self._created, "model": self._name, "choices": [choice]}


def read(body: bytes) -> dict[str, Any]:
    """The order. Raises DecodeError."""
    order = json_codec.loads(body)
    if not isinstance(order, dict) or not isinstance(order.get("messages"), list):
        raise DecodeError('send {"messages": [{"role": "user", "content": "..."}]}')
    return order


def _joined(parts: Iterable[Any]) -> Any:
    """One text of all; the last one where they are objects."""
    made = list(parts)
    return "".join(made) if all(isinstance(part, str) for part in made) else made[-1]
