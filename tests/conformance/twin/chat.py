"""POST /v1/chat/completions: says back what the user said."""

import json
import time

from faults import faulty
from web import Refused, Response, route

HEAD = {"id": "chatcmpl-twin", "created": int(time.time()), "model": "twin"}


@route("POST", "/v1/chat/completions")
def complete(request):
    try:
        order = json.loads(request.body)
        words = order["messages"][-1]["content"].split()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Refused(400, f"malformed: {error}") from error
    if not order.get("model") and not order.get("stream") and faulty("OAI-01"):
        raise Refused(404, "there is no model of that name")
    if order.get("stream"):
        return Response(200, events(words), "text/event-stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": " ".join(words)}, "finish_reason": "stop"}
    answer = {**HEAD, "object": "chat.completion", "choices": [choice]}
    return Response(200, json.dumps(answer).encode(), "application/json")


def events(words):
    for word in words:
        yield event({"content": f"{word} "}, None)
    yield event({}, "stop")
    if not faulty("OAI-02"):
        yield b"data: [DONE]\n\n"


def event(delta, finish_reason):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
