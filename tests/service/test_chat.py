"""POST /v1/chat/completions: there only with a chat_fn, in the shape that clients of OpenAI's interface read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from tests.service.conftest import Serve

ORDER = {"model": "", "messages": [{"role": "user", "content": "Say it."}]}
PATH = "/v1/chat/completions"


def returning(request: dict[str, Any], model: Any) -> str:
    return f"You said: {request['messages'][-1]['content']}"


def yielding(request: dict[str, Any], model: Any) -> Any:
    yield from ("You ", "said ", "it.")


def own(request: dict[str, Any], model: Any, context: Any) -> dict[str, Any]:
    return {"choices": [], "own": context.request_id}


def model_fn(model_dir: str) -> str:
    return "model"


def ask(serve: Serve, folder: Path, chat_fn: Any, **more: Any) -> Any:
    app = serve(folder, model_fn=model_fn, chat_fn=chat_fn).application
    return Client(app).post(PATH, json={**ORDER, **more})


def events(answer: Any) -> list[str]:
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.text.endswith("\n\n")
    return [event.removeprefix("data: ") for event in answer.text.strip().split("\n\n")]


@pytest.mark.parametrize(("chat_fn", "text"), [(returning, "You said: Say it."), (yielding, "You said it.")])
def test_oai_01_an_empty_model_is_answered_with_a_message(
    serve: Serve, tmp_path: Path, chat_fn: Any, text: str
) -> None:
    answer = ask(serve, tmp_path, chat_fn)
    assert answer.status_code == 200
    (choice,) = answer.json["choices"]
    assert choice == {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    assert answer.json["object"] == "chat.completion"
    assert answer.json["id"].startswith("chatcmpl-")


@pytest.mark.parametrize(("chat_fn", "text"), [(returning, "You said: Say it."), (yielding, "You said it.")])
def test_oai_02_a_stream_is_events_that_end_with_done(serve: Serve, tmp_path: Path, chat_fn: Any, text: str) -> None:
    *parts, done = events(ask(serve, tmp_path, chat_fn, stream=True))
    choices = [json.loads(part)["choices"][0] for part in parts]
    assert done == "[DONE]"
    assert "".join(choice["delta"].get("content", "") for choice in choices) == text
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]


def test_objects_of_the_interface_are_sent_as_they_are(serve: Serve, tmp_path: Path) -> None:
    assert ask(serve, tmp_path, own).json["own"]


@pytest.mark.parametrize("body", [b"{broken", b"[]", b'{"messages": "hello"}'])
def test_what_is_no_order_is_refused(serve: Serve, tmp_path: Path, body: bytes) -> None:
    client = serve(tmp_path, model_fn=model_fn, chat_fn=returning)
    assert client.post(PATH, data=body, content_type="application/json").status_code == 400


def test_without_a_chat_fn_there_is_no_such_path(serve: Serve, iris_dir: Path) -> None:
    assert serve(iris_dir).post(PATH, json=ORDER).status_code == 404
    assert serve(iris_dir).get(PATH).status_code == 404
