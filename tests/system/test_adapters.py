"""Adapters through the real nginx and two workers: loaded, chosen, changed, unloaded, known to every worker."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.system.client import wait_until
from tests.system.replies import Reply
from tests.system.server import Server
from tests.system.websocket import Rejected, WebSocket

PREDICTOR = """
import os
from pathlib import Path

class Refused(Exception):
    status = 422

def model_fn(model_dir):
    return "base"

def adapter_fn(adapter_dir, model):
    word = Path(adapter_dir, "word").read_text()
    if word == "refuse":
        raise Refused("rank 64 is more than 16")
    if word == "break":
        raise KeyError("broken adapter")
    if word == "huge":
        raise MemoryError
    if word == "none":
        return None
    return f"{model}+{word}"

def predict_fn(data, model):
    return {"model": model, "pid": os.getpid()}

def chat_fn(request, model):
    return model

def stream_fn(messages, model):
    for message in messages:
        yield model
"""
HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
TWO_WORKERS = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
FAILS = ("broken adapter", "adapter_fn returned None")


@pytest.fixture(scope="module", params=["loop", "gthread"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    env = {**TWO_WORKERS, "SERVING_WORKER_CLASS": request.param}
    server = Server(predictor=PREDICTOR, env=env, expect=FAILS)
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


@pytest.fixture
def load(server: Server, tmp_path: Path) -> Iterator[Callable[..., Reply]]:
    """Orders an adapter that says this word. Those that are loaded are unloaded at the end."""
    yield lambda name, word, **more: order(server, name, folder(tmp_path, word), **more)
    for adapter in listed(server):
        unload(server, adapter)


def folder(parent: Path, word: str) -> str:
    """An adapter's."""
    path = parent / word
    path.mkdir(exist_ok=True)
    (path / "word").write_text(word)
    return str(path)


def post(server: Server, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.request("POST", path, data, {"Content-Type": "application/json", **(headers or {})})


def order(server: Server, name: str, src: str, **more: Any) -> Reply:
    return post(server, "/adapters", {"name": name, "src": src, **more})


def unload(server: Server, name: str) -> Reply:
    return server.request("DELETE", f"/adapters/{name}")


def listed(server: Server, query: str = "") -> list[str]:
    return [each["name"] for each in server.request("GET", f"/adapters{query}").json()["adapters"]]


def ask(server: Server, adapter: str) -> Reply:
    return server.invoke({}, **{HEADER: adapter})


def said(server: Server, adapter: str) -> dict[str, str]:
    """What each worker answers, by its pid."""
    told: dict[str, str] = {}

    def both() -> bool:
        answer = ask(server, adapter).json()
        told[answer["pid"]] = answer["model"]
        return len(told) == 2

    wait_until(both, 10, "both workers have answered")
    return told


def test_lor_01_an_adapter_is_loaded_once_and_unloaded_once(server: Server, load: Callable[..., Reply]) -> None:
    assert unload(server, "fr").status == 404
    loaded = load("fr", "french")
    assert (loaded.status, loaded.json()["name"]) == (200, "fr")
    again = load("fr", "french")
    assert (again.status, "POST /adapters/NAME" in again.json()["detail"]) == (409, True)
    assert server.request("GET", "/adapters/fr").json() == loaded.json()
    assert unload(server, "fr").status == 200
    assert (unload(server, "fr").status, server.request("GET", "/adapters/fr").status) == (404, 404)


def test_lor_02_the_header_chooses_for_every_worker(server: Server, load: Callable[..., Reply]) -> None:
    """1. Two are loaded, one of them when it is first asked.  2. One is unloaded.  Result: 404, and none stands in."""
    load("fr", "french")
    load("de", "german", preload=False)
    assert set(said(server, "fr").values()) == {"base+french"}
    assert set(said(server, "de").values()) == {"base+german"}
    assert set(said(server, "").values()) == {"base"}
    unload(server, "fr")
    for _ in range(6):
        gone = ask(server, "fr")
        assert (gone.status, "POST /adapters" in gone.json()["detail"]) == (404, True)
    assert ask(server, "de").json()["model"] == "base+german"


def test_a_name_is_text_and_no_path(server: Server, load: Callable[..., Reply]) -> None:
    name = "Größe 1%2F.x"
    assert load(name, "german").status == 200
    assert listed(server) == [name]
    assert server.request("DELETE", "/adapters/Gr%C3%B6%C3%9Fe%201%252F.x").status == 200


def test_a_change_serves_everywhere_once_it_is_answered(
    server: Server, load: Callable[..., Reply], tmp_path: Path
) -> None:
    load("fr", "french")
    said(server, "fr")
    refused = post(server, "/adapters/fr", {"src": folder(tmp_path, "break")})
    assert refused.status == 500
    assert set(said(server, "fr").values()) == {"base+french"}
    changed = post(server, "/adapters/fr", {"src": folder(tmp_path, "german"), "pin": True})
    assert (changed.status, changed.json()["pin"], changed.json()["preload"]) == (200, True, True)
    assert set(said(server, "fr").values()) == {"base+german"}
    assert post(server, "/adapters/nobody", {"pin": True}).status == 404


@pytest.mark.parametrize(("word", "status", "detail"), [
    ("refuse", 422, "rank 64 is more than 16"), ("break", 500, "the log has the traceback"),
    ("none", 500, "the log has the traceback"), ("huge", 507, "Unload another one first"),
])  # fmt: skip
def test_one_that_cannot_be_loaded_is_not_there(
    server: Server, load: Callable[..., Reply], word: str, status: int, detail: str
) -> None:
    reply = load("bad", word)
    assert (reply.status, detail in reply.json()["detail"]) == (status, True)
    assert (listed(server), ask(server, "bad").status) == ([], 404)


@pytest.mark.parametrize(("body", "detail"), [
    (b"", "The body is not JSON"), ({"name": "a"}, "src must be a text"), ({"src": "/", "name": ""}, "name must be"),
    ({"name": "a/b", "src": "/"}, "without '/'"), ({"name": "a", "src": "/no"}, "a folder that is there"),
    ({"name": "a", "src": "../a"}, "a folder that is there"), ({"name": "a", "src": "/", "pin": 1}, "true or false"),
])  # fmt: skip
def test_an_order_that_cannot_be_says_what_to_change(server: Server, body: Any, detail: str) -> None:
    reply = post(server, "/adapters", body)
    assert (reply.status, detail in reply.json()["detail"]) == (400, True)


def test_the_list_comes_by_the_page_and_in_order(server: Server, load: Callable[..., Reply]) -> None:
    for name in ("b", "c", "a"):
        load(name, "french", preload=False)
    first = server.request("GET", "/adapters?limit=2").json()
    assert [each["name"] for each in first["adapters"]] == ["a", "b"]
    assert listed(server, f"?limit=2&next_page_token={first['nextPageToken']}") == ["c"]
    assert server.request("GET", "/adapters?limit=0").status == 400


def test_other_methods_and_paths_are_refused(server: Server) -> None:
    assert server.request("PUT", "/adapters", b"{}").status == 405
    assert server.request("GET", "/adapters/a/b").status == 404


def test_chat_and_sockets_are_answered_by_the_adapter_too(server: Server, load: Callable[..., Reply]) -> None:
    load("fr", "french")
    chat = {"model": "", "messages": [{"role": "user", "content": "?"}]}
    reply = post(server, "/v1/chat/completions", chat, {HEADER: "fr"})
    assert reply.json()["choices"][0]["message"]["content"] == "base+french"
    with WebSocket(server.port, headers={HEADER: "fr"}) as talk:
        assert talk.ask("?") == "base+french"
    with pytest.raises(Rejected) as refused:
        WebSocket(server.port, headers={HEADER: "nobody"})
    assert refused.value.status == 404


def test_a_worker_lets_go_of_what_another_one_unloaded(server: Server, load: Callable[..., Reply]) -> None:
    load("fr", "french")
    pids = set(said(server, "fr"))
    unload(server, "fr")
    wait_until(
        lambda: pids <= {each["pid"] for each in server.log_events("adapter_unloaded")}, 10, "both have let it go"
    )


def test_a_new_worker_has_loaded_it_before_it_serves(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(predictor=PREDICTOR, expect=("worker_lost", "signal 9"))
    server.wait_ready()
    order(server, "fr", folder(tmp_path, "french"))
    order(server, "bad", folder(tmp_path, "german"), preload=False)
    (tmp_path / "german" / "word").write_text("break")
    (pid,) = {each["pid"] for each in server.log_events("adapter_loaded")}
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(server.log_events("adapter_loaded")) == 2, 20, "its successor has loaded the adapter")
    server.wait_ready()
    assert ask(server, "fr").json()["model"] == "base+french"


def test_no_more_are_kept_loaded_than_the_setting_says(serve: Callable[..., Server], tmp_path: Path) -> None:
    """1. Room for two, one of three is pinned.  Result: those two that are not take turns, and all three answer."""
    server = serve(predictor=PREDICTOR, env={"SERVING_LOADED_ADAPTERS": "2"})
    server.wait_ready()
    order(server, "pinned", folder(tmp_path, "french"), pin=True)
    for name in ("one", "two"):
        order(server, name, folder(tmp_path, "german"))
    assert [ask(server, name).status for name in ("pinned", "one", "two", "pinned")] == [200] * 4
    assert [each["adapter"] for each in server.log_events("adapter_loaded")] == ["pinned", "one", "two", "one", "two"]
    assert [each["adapter"] for each in server.log_events("adapter_unloaded")] == ["one", "two", "one"]


ROWS = """
import time
from pathlib import Path

ROWS_ARE_INDEPENDENT = True

def model_fn(model_dir):
    return "base"

def adapter_fn(adapter_dir, model):
    return Path(adapter_dir, "word").read_text()

def predict_fn(data, model):
    time.sleep(0.3 if len(data) == 1 else 0)
    return [model for _ in data]
"""


def test_a_batch_is_of_one_adapter(serve: Callable[..., Server], tmp_path: Path) -> None:
    """1. While a call runs, requests of two rows come for the model and for two adapters.  Result: each its own."""
    server = serve(predictor=ROWS)
    server.wait_ready()
    words = {"fr": "french", "de": "german", "": "base"}
    for name in ("fr", "de"):
        order(server, name, folder(tmp_path, words[name]))
    first = server.invoke_later([[0.0]])
    asked = [(word, server.run_later(partial(server.invoke, [[0.0], [1.0]], **{HEADER: name})))
             for name, word in words.items() for _ in range(6)]  # fmt: skip
    assert [(reply.result().json(), word) for word, reply in asked] == [([word] * 2, word) for word, _ in asked]
    assert first.result().json() == ["base"]
    rows = [each["batch_rows"] for each in server.log_events("request") if each["rows"] == 2]
    assert 4 <= max(rows) <= 12
