"""Many models in one server, through the real nginx and both kinds of worker: what the platform asks, as it asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.system.client import wait_until
from tests.system.many import JSON, ManyModels

OWN_CODE = {
    "code/inference.py": """
import helper

def model_fn(model_dir):
    return helper.WORD

def predict_fn(data, model):
    import late_helper
    return [model, late_helper.WORD]
"""
}


@pytest.fixture(scope="module", params=["loop", "gthread"])
def many(request: pytest.FixtureRequest) -> Iterator[ManyModels]:
    """One server for all tests that leave no model behind that the others would see."""
    server = ManyModels(env={"SERVING_WORKER_CLASS": request.param}, expect=("model_failed", "out_of_memory", "ended"))
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


NEEDY = {"code/requirements.txt": "numpy\nno-such-package==1.0\n", "code/inference.py": "import no_such_package"}


@pytest.fixture(autouse=True)
def empty(many: ManyModels) -> Iterator[None]:
    yield
    for name in many.names():
        assert many.unload(quote(name)).status == 200


def test_mme_01_it_is_ready_without_a_model(many: ManyModels) -> None:
    assert (many.ping().status, many.page()) == (200, {"models": []})


def test_mme_02_a_loaded_model_answers_at_once(many: ManyModels) -> None:
    assert many.load("a").status == 200
    reply = many.ask("a")
    assert (reply.status, reply.content_type, reply.json()["says"]) == (200, "application/json", "a")


def test_mme_03_a_second_load_is_a_conflict(many: ManyModels) -> None:
    many.load("a")
    assert many.load("a").status == 409
    assert many.ask("a").status == 200


@pytest.mark.parametrize("name", ["0f" * 32, "a.b_c-d", "1", "x" * 200, "model=with:odd+chars", "mit Raum", "größe"])
def test_mme_05_a_name_is_opaque(many: ManyModels, name: str) -> None:
    url = many.put_model("named")
    assert many.load_at(name, url).json() == {"modelName": name, "modelUrl": url}
    assert many.ask(quote(name)).json()["says"] == "named"
    assert many.get(quote(name)).json() == {"modelName": name, "modelUrl": url}
    assert many.unload(quote(name)).status == 200
    assert many.get(quote(name)).status == 404


def test_mme_07_and_10_a_model_is_told_by_name_and_url(many: ManyModels) -> None:
    url = many.put_model("a")
    many.load_at("a", url)
    about = {"modelName": "a", "modelUrl": url}
    assert (many.page(), many.get("a").json()) == ({"models": [about]}, about)
    assert many.get("other").status == 404


def test_mme_08_each_model_is_on_one_page(many: ManyModels) -> None:
    names = [f"m{number}" for number in range(5)]
    for name in names:
        many.load(name)
    first = many.page("?limit=2")
    assert [each["modelName"] for each in first["models"]] == ["m0", "m1"]
    many.unload("m1")
    second = many.page(f"?limit=2&next_page_token={first['nextPageToken']}")
    assert [each["modelName"] for each in second["models"]] == ["m2", "m3"]
    last = many.page(f"?limit=2&next_page_token={second['nextPageToken']}")
    assert ([each["modelName"] for each in last["models"]], "nextPageToken" in last) == (["m4"], False)


@pytest.mark.parametrize("token", ["-1", "abc", "9" * 30, "%00", "Lg", "x" * 3000])
def test_mme_09_a_token_of_another_server_is_a_400(many: ManyModels, token: str) -> None:
    assert many.request("GET", f"/models?next_page_token={token}").status in (200, 400)


@pytest.mark.parametrize("limit", ["0", "-5", "many", "9" * 40])
def test_a_limit_that_is_none_is_a_400(many: ManyModels, limit: str) -> None:
    assert many.request("GET", f"/models?limit={limit}").status == 400


def test_mme_11_and_12_an_unloaded_model_is_gone(many: ManyModels) -> None:
    assert many.ask("a").status == 404
    many.load("a")
    assert many.unload("a").status == 200
    assert [reply.status for reply in (many.get("a"), many.ask("a"), many.unload("a"))] == [404, 404, 404]
    assert many.load("a").status == 200
    assert many.ask("a").status == 200


def test_a_request_in_flight_is_answered_while_its_model_is_unloaded(many: ManyModels) -> None:
    many.load("a")
    held = many.ask_later("a", {"do": "wait", "gate": "flight"})
    many.wait_gate("flight")
    unloaded = many.run_later(lambda: many.unload("a"))
    wait_until(lambda: many.get("a").status == 404, 5, "the model is not told any more")
    assert not unloaded.done()
    many.open_gate("flight")
    assert (held.result().status, unloaded.result().status) == (200, 200)
    for gate in many.gates.iterdir():
        gate.unlink()


def test_mme_14_headers_reach_the_handlers(many: ManyModels) -> None:
    many.load("a")
    sent = {"X-Amzn-SageMaker-Target-Model": "team/a.tar.gz", "X-Amzn-SageMaker-Custom-Attributes": "k=v"}
    reply = many.ask("a", {"do": "headers"}, sent)
    assert (reply.json(), reply.headers["X-Amzn-SageMaker-Custom-Attributes"]) == ({"target": "team/a.tar.gz"}, "k=v")


def test_mme_15_a_load_stalls_nobody(many: ManyModels) -> None:
    """Not even one that never lets go of its interpreter."""
    many.load("a")
    many.ask("a")
    slow = many.load_later("slow", hold_interpreter_s=1.5)
    asked = [many.ask("a") for _ in range(100)]
    pinged = [many.ping() for _ in range(50)]
    assert not slow.done()
    assert {reply.status for reply in asked + pinged} == {200}
    assert max(reply.seconds for reply in asked + pinged) < 0.5
    assert [many.ask("slow").status, many.get("slow").status, many.names()] == [404, 404, ["a"]]
    assert slow.result().status == 200


def test_mme_16_of_loads_at_once_one_wins(many: ManyModels) -> None:
    url = many.put_model("a", sleep_s=0.3)
    loads = [many.run_later(lambda: many.load_at("a", url)) for _ in range(8)]
    assert sorted(load.result().status for load in loads) == [200] + [409] * 7
    assert many.ask("a").status == 200


@pytest.mark.parametrize(
    "files",
    [
        {"order.json": "{"},
        {"code/inference.py": "import no_such_package"},
        {"code/inference.py": "def predict_fn(data): pass"},
        {"manifest.json": "[]"},
    ],
    ids=["file", "import", "handlers", "manifest"],
)
def test_mme_17_what_cannot_be_loaded_is_not_there(many: ManyModels, files: dict[str, str]) -> None:
    many.load("a")
    reply = many.load("broken", files)
    assert reply.status == 500
    (failed,) = [each for each in many.log_events("model_failed") if each["request_id"] == reply.request_id]
    assert failed["traceback"]
    assert (many.names(), many.ask("a").status) == (["a"], 200)
    (many.models_dir / "broken" / "model" / next(iter(files))).unlink()


def test_mme_17_a_process_that_dies_while_it_loads_is_told_of(many: ManyModels) -> None:
    assert many.load("crashed", die="SIGSEGV").status == 500
    assert many.load("killed", die="SIGKILL").status == 507
    assert many.names() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"a"', b"{}", b'{"model_name": "a"}', b'{"url": "x"}', b'{"model_name": 1, "url": "x"}',
     b'{"model_name": "", "url": "x"}', b'{"model_name": "a", "url": 5}', b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_mme_18_a_malformed_load_is_a_400(many: ManyModels, body: bytes) -> None:
    assert many.request("POST", "/models", body, JSON).status == 400


@pytest.mark.parametrize("do", ["short", "gpu"])
def test_mme_19_want_of_memory_is_a_507(many: ManyModels, do: str) -> None:
    many.load("a")
    assert many.ask("a", {"do": do}).status == 507
    assert many.ask("a").status == 200


def test_mme_04_a_load_that_has_too_little_memory_is_a_507(many: ManyModels) -> None:
    many.load("a")
    assert many.load("large", **{"raise": "MemoryError"}).status == 507
    assert (many.names(), many.ask("a").status) == (["a"], 200)


@pytest.mark.parametrize("name", ["..", "../a", "a/b", "a\n", "x" * 2000, "/etc/passwd"])
def test_mme_20_a_name_that_looks_like_a_path_is_a_400(many: ManyModels, name: str) -> None:
    assert many.load_at(name, many.put_model("a")).status == 400


def test_mme_20_a_url_must_lie_inside_the_models_folder(many: ManyModels) -> None:
    inside = many.put_model("a")
    (many.models_dir / "link").unlink(missing_ok=True)
    (many.models_dir / "link").symlink_to(many.folder)
    outside = ["/etc", "/", str(many.folder), f"{inside}/../../../../", "../a", f"{many.models_dir}/link"]
    outside += [str(many.models_dir), f"{many.models_dir}/nothing", f"{inside}/order.json", "s3://bucket/a", "a\0b"]
    assert [many.load_at("a", url).status for url in outside] == [400] * len(outside)
    assert many.names() == []


def test_paths_and_methods_are_refused_as_ever(many: ManyModels) -> None:
    assert many.request("POST", "/invocations", b"{}", JSON).status == 404
    assert many.request("GET", "/nowhere").status == 404
    assert many.request("PUT", "/models", b"").headers["Allow"] == "GET, POST"
    assert many.request("POST", "/models/a", b"").headers["Allow"] == "GET, DELETE"
    assert many.request("GET", "/models/a/invoke").status == 405


def test_models_have_code_of_their_own_under_the_same_names(many: ManyModels) -> None:
    for name in ("one", "two"):
        more = {f"code/{module}.py": f"WORD = {name!r}" for module in ("helper", "late_helper")}
        assert many.load(name, {**OWN_CODE, **more}).status == 200
    assert [many.ask(name).json() for name in ("one", "two", "one")] == [["one"] * 2, ["two"] * 2, ["one"] * 2]
    for name in ("one", "two"):
        (many.models_dir / name / "model" / "code" / "inference.py").unlink()


def test_a_model_that_lacks_a_requirement_is_told_and_the_others_serve(many: ManyModels) -> None:
    """Nothing is installed at a load: docs/scripts.md, Requirements."""
    seen = len(many.log_events("model_failed"))
    assert many.load("needy", NEEDY).status == 500
    warning = many.wait_event("requirements_not_installed")
    assert (warning["missing"], "needy" in warning["file"]) == (["no-such-package==1.0: not installed"], True)
    failed = many.wait_event("model_failed", count=seen + 1)
    assert "no-such-package==1.0 (requirements.txt, line 2)" in failed["traceback"]
    assert many.load("a").status == 200


def test_negotiation_codecs_and_errors_are_those_of_a_single_model(many: ManyModels) -> None:
    many.load("a")
    assert many.ask("a", {}, {"Accept": "text/html"}).status == 406
    assert many.ask("a", b"{").status == 400
    assert many.ask("a", b"x", {"Content-Type": "application/x-nope"}).status == 415
    assert json.loads(many.ask("a", {}, {"Accept": "application/jsonlines"}).body)["says"] == "a"


def test_a_dead_process_is_replaced_and_who_waits_is_served(many: ManyModels) -> None:
    many.load("a")
    before = many.ask("a").json()["pid"]
    assert many.ask("a", {"do": "die"}).status == 503
    reply = many.ask("a")
    assert reply.status == 200
    assert reply.json()["pid"] != before
