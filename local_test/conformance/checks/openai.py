"""OAI: OpenAI's interface.

Where the model itself has no such route, an image that runs scripts is given one with a chat_fn.
"""

from __future__ import annotations

import json
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Group, expect
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server, json_of
from local_test.conformance.speaker import speaking
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.OPENAI)

PATH = "/v1/chat/completions"
ORDER = {"model": "", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16}
CLIENTS_FAIL = "Clients made for OpenAI's interface fail at /endpoints/NAME/openai/v1, for which the endpoint stands."


@GROUP.must(
    "OAI-01", "A chat completion with an empty model is answered.",
    source="DG:oai", otherwise=f"{CLIENTS_FAIL} The platform knows the model by its endpoint, and leaves it empty.",
    fix="Take an empty model for the one that is served; answer with choices[].message.",
)  # fmt: skip
def empty_model_is_answered(bench: Bench) -> str:
    answer = complete(bench)
    expect(answer.status == 200, f"it answered {answer}")
    message = first_choice(json_of(answer), str(answer)).get("message")
    expect(isinstance(message, dict) and "role" in message, f"choices[0] has no message with a role: {answer}")
    return str(answer)


@GROUP.must(
    "OAI-02", 'With "stream": true it is server-sent events: data lines of JSON, the last one data: [DONE].',
    source="DG:oai; [DONE] by OpenAI's convention", pains=(57,),
    otherwise=f"{CLIENTS_FAIL} They wait for the last event, or read the answer as a whole and find nothing.",
    fix="Answer with Content-Type text/event-stream, one `data: {...}` and an empty line a chunk, then `data: [DONE]`.",
)  # fmt: skip
def streams_events(bench: Bench) -> str:
    answer = complete(bench, stream=True)
    expect(answer.status == 200, f"it answered {answer}")
    expect(answer.media_type == "text/event-stream", f"Content-Type is {answer.media_type or 'missing'}: {answer}")
    expect(answer.complete, "the connection ended before the answer did")
    events = events_of(answer)
    expect(events, f"there is no data line: {answer}")
    expect(events[-1] == "[DONE]", f"the last event is not [DONE] but {events[-1][:120]}")
    for event in events[:-1]:
        chunk_of(event)
    return f"{len(events)} events"


def complete(bench: Bench, **more: Any) -> Answer:
    return speaking(bench, "chat.py", has_route).invoke({**ORDER, **more}, path=PATH)


def has_route(server: Server) -> bool:
    return server.request("POST", PATH).status != 404


def first_choice(answer: Any, seen: str) -> dict[str, Any]:
    """Raises Broken."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Broken(f"it has no choices: {seen}")
    return choices[0]


def events_of(answer: Answer) -> list[str]:
    """What stands in the data lines; comments and other fields may stand between them."""
    lines = answer.body.decode("utf-8", "replace").splitlines()
    return [line[len("data:") :].strip() for line in lines if line.startswith("data:")]


def chunk_of(event: str) -> None:
    """Raises Broken unless it is a part of an answer. The one that counts tokens has no choices."""
    try:
        chunk = json.loads(event)
    except ValueError as error:
        raise Broken(f"a data line is not JSON: {event[:120]}") from error
    if not isinstance(chunk, dict) or not chunk.get("usage"):
        expect("delta" in first_choice(chunk, event[:120]), f"choices[0] has no delta: {event[:120]}")
