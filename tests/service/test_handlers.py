"""The user's functions at work in requests: order, context, headers, deadlines, and old-style predictors."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import flask
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from container.app import create_app
from container.errors import StartupError
from container.settings import Settings
from tests.service.conftest import SETOSA, ContractClient, Serve, module

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
Events = Callable[[str], list[Any]]


def echo(data: Any, _model: Any) -> Any:
    return data


def raw(body: Any, _content_type: str) -> Any:
    return body


def test_scr_01_the_functions_run_in_order(serve: Serve, tmp_path: Path) -> None:
    client = serve(
        tmp_path,
        model_fn=lambda model_dir: f"model of {Path(model_dir).name}",
        input_fn=lambda body, content_type: [body, content_type],
        predict_fn=lambda data, model: [*data, model],
        output_fn=lambda prediction, accept: " | ".join([*prediction, accept]),
    )
    response = client.post("/invocations", data="b", content_type="text/csv", headers={"Accept": "text/plain"})
    assert response.text == f"b | text/csv | model of {tmp_path.name} | text/plain"
    assert response.content_type == "text/plain"


def test_scr_01_transform_fn_alone_replaces_them(serve: Serve, tmp_path: Path) -> None:
    client = serve(
        tmp_path,
        model_fn=str,
        transform_fn=lambda _model, body, content_type, accept: f"{body} {content_type} {accept}",
    )
    response = client.post("/invocations", data="b", content_type="text/csv", headers={"Accept": "a/b, */*;q=0.1"})
    assert (response.text, response.content_type) == ("b text/csv a/b", "a/b")


def test_scr_04_output_fn_may_name_the_content_type(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir, predict_fn=echo, output_fn=lambda _prediction, _accept: (b"\x89PNG", "image/png"))
    response = client.post("/invocations", json=["x"])
    assert (response.data, response.content_type) == (b"\x89PNG", "image/png")


def test_what_output_fn_returns_unencoded_is_encoded_for_the_client(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir, predict_fn=echo, output_fn=lambda prediction, _accept: {"films": prediction})
    assert client.post("/invocations", json=["x"]).json == {"films": ["x"]}


def test_scr_09_model_fn_runs_once(serve: Serve, tmp_path: Path) -> None:
    loads: list[str] = []
    client = serve(tmp_path, model_fn=loads.append, predict_fn=echo)
    for _ in range(3):
        client.post("/invocations", json=["x"])
    assert loads == [str(tmp_path)]


def test_inv_24_bytes_come_through_untouched(serve: Serve, tmp_path: Path) -> None:
    body = bytes(range(256)) * 17
    client = serve(
        tmp_path,
        model_fn=str,
        input_fn=raw,
        predict_fn=lambda data, _model: hashlib.sha256(data).hexdigest(),
        output_fn=lambda digest, _accept: digest,
    )
    response = client.post("/invocations", data=body, content_type="application/octet-stream")
    assert response.text == hashlib.sha256(body).hexdigest()


def test_the_context_tells_of_the_request(serve: Serve, tmp_path: Path) -> None:
    seen: list[Any] = []
    client = serve(tmp_path, model_fn=str, predict_fn=lambda _data, _model, context: seen.append(context))
    client.post(
        "/invocations",
        json=["x"],
        headers={
            "X-Amzn-SageMaker-Inference-Id": "id-1",
            ATTRIBUTES: "trace=7",
            "Accept": "*/*",
            "X-Request-Id": "r-1",
        },
    )
    (context,) = seen
    assert (context.request_id, context.inference_id, context.custom_attributes) == ("r-1", "id-1", "trace=7")
    assert (context.content_type, context.accept) == ("application/json", "application/json")
    assert context.headers["x-request-ID"] == "r-1"
    assert "X-Amzn-Sagemaker-Inference-Id" in set(context.headers)
    assert 0 < context.remaining_s() < 60


def test_inv_20_custom_attributes_do_not_come_back_by_themselves(client: ContractClient) -> None:
    response = client.post("/invocations", data=SETOSA, content_type="text/csv", headers={ATTRIBUTES: "trace=7"})
    assert ATTRIBUTES not in response.headers


def test_inv_20_custom_attributes_come_back_if_set(serve: Serve, tmp_path: Path) -> None:
    def predict_fn(data: Any, _model: Any, context: Any) -> Any:
        context.response_headers[ATTRIBUTES] = context.custom_attributes
        return data

    client = serve(tmp_path, model_fn=str, predict_fn=predict_fn)
    response = client.post("/invocations", json=["x"], headers={ATTRIBUTES: "trace=7"})
    assert response.headers[ATTRIBUTES] == "trace=7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Mine", "a\r\nSet-Cookie: b"),
        ("X-Mine", "a\nb"),
        ("X-Mine", "a\x00b"),
        ("X-Mine", "日本"),
        ("X-Mine: a\r\nX-Yours", "b"),
        ("X Mine", "a"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("X-Mine", 5),
    ],
)
def test_a_response_header_that_would_break_the_answer_is_a_500(
    serve: Serve, tmp_path: Path, events: Events, name: str, value: Any
) -> None:
    """A handler that echoes what a client sent must not let the client write the response."""

    def predict_fn(data: Any, _model: Any, context: Any) -> Any:
        context.response_headers[name] = value
        return data

    response = serve(tmp_path, model_fn=str, predict_fn=predict_fn).post("/invocations", json=["x"])
    assert response.status_code == 500
    assert "response header" in str(events("request_failed")[0].exc_info[1])


def test_a_content_type_with_a_line_break_is_a_500(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir, predict_fn=echo, output_fn=lambda _prediction, _accept: ("x", "text/csv\r\nX-Mine: a"))
    assert client.post("/invocations", json=["x"]).status_code == 500


def test_inv_21_and_22_all_platform_headers_at_full_length_are_ignored_safely(client: ContractClient) -> None:
    names = {
        "Custom-Attributes": 1024, "Inference-Id": 64, "Target-Model": 1024, "Target-Variant": 63,
        "Target-Container-Hostname": 63, "Inference-Component": 63, "Session-Id": 256, "Enable-Explanations": 64,
        "Prefix-Aware-Id": 64, "Forwarded-Api": 20, "Unheard-Of": 1024,
    }  # fmt: skip
    headers = {f"X-Amzn-SageMaker-{name}": "x" * length for name, length in names.items()}
    padding = "a/" + "b" * 1000
    response = client.post(
        "/invocations", data=SETOSA, content_type="text/csv; a=" + "b" * 1000,
        headers={**headers, "Accept": f"{padding}, */*;q=0.1"},
    )  # fmt: skip
    assert response.json == ["setosa"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "naïve"])
def test_a_request_id_that_is_no_plain_word_is_replaced(client: ContractClient, given: str) -> None:
    """It ends up in a header and in the log."""
    response = client.post(
        "/invocations", data=SETOSA, content_type="text/csv", environ_overrides={"HTTP_X_REQUEST_ID": given}
    )
    assert response.headers["X-Request-Id"] not in ("", given)


def test_the_request_is_logged_once_with_its_timings(client: ContractClient, events: Events) -> None:
    before = len(events("request"))
    client.post(
        "/invocations", data=SETOSA * 3, content_type="text/csv", headers={"X-Amzn-SageMaker-Inference-Id": "i"}
    )
    (line,) = events("request")[before:]
    assert (line.status, line.rows, line.bytes_in, line.bytes_out) == (200, 3, 3 * len(SETOSA), 28)
    assert (line.content_type, line.accept, line.inference_id) == ("text/csv", None, "i")
    parts = (line.queue_ms, line.decode_ms, line.predict_ms, line.encode_ms)
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= line.total_ms


def test_pings_are_not_logged(client: ContractClient, events: Events) -> None:
    before = len(events("request"))
    client.get("/ping")
    assert len(events("request")) == before


def test_the_deadline_is_a_504_although_the_model_still_works(serve: Serve, tmp_path: Path) -> None:
    """Pain 4: the client reads a reason, before anything is killed."""
    end = threading.Event()
    client = serve(
        tmp_path,
        environ={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "0.5"},
        model_fn=str,
        predict_fn=lambda _data, _model: end.wait(10),
    )
    response = client.post("/invocations", json=["x"])
    end.set()
    assert response.status_code == 504
    assert "deadline" in response.json["detail"]


def test_time_spent_before_the_worker_counts_towards_the_deadline(serve: Serve, tmp_path: Path) -> None:
    """nginx says when it had the request: X-Request-Start."""
    client = serve(tmp_path, model_fn=str, predict_fn=echo)
    late = client.post("/invocations", json=["x"], headers={"X-Request-Start": f"t={time.time() - 59:.3f}"})
    assert late.status_code == 504
    for odd in ("t=99999999999.000", "nonsense", f"t={time.time() - 1:.3f}"):
        assert client.post("/invocations", json=["x"], headers={"X-Request-Start": odd}).status_code == 200


def test_a_full_queue_is_a_503_with_retry_after(serve: Serve, tmp_path: Path) -> None:
    end = threading.Event()
    client = serve(
        tmp_path, environ={"SERVING_QUEUE_LIMIT": "1"}, model_fn=str, predict_fn=lambda _data, _model: end.wait(10)
    )
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(client.post, "/invocations", json=["x"]) for _ in range(4)]
        while not any(call.done() for call in calls):
            time.sleep(0.001)
        end.set()
        responses = [call.result() for call in calls]
    refused = [response for response in responses if response.status_code == 503]
    assert refused
    assert all(int(response.headers["Retry-After"]) >= 1 for response in refused)
    assert {response.status_code for response in responses} == {200, 503}


@pytest.fixture
def square(serve: Serve, tmp_path: Path) -> ContractClient:
    """Answers n with n * n; a negative number is an error, zero takes longer than its request has time."""

    def predict_fn(data: Any, _model: Any) -> Any:
        number = data["n"]
        if number < 0:
            raise UserWarning("below zero")
        time.sleep(0.001 if number else 0.06)
        return number * number

    return serve(tmp_path, environ={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "5"}, model_fn=str, predict_fn=predict_fn)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(-5, 1000), min_size=2, max_size=16))
def test_concurrent_requests_each_get_their_own_answer(square: ContractClient, numbers: list[int]) -> None:
    def ask(number: int) -> object:
        deadline_s = square.app.settings.deadline_s
        hurried = {"X-Request-Start": f"t={time.time() - deadline_s + 0.03:.3f}"} if number == 0 else {}
        response = square.post("/invocations", json={"n": number}, headers=hurried)
        return response.json if response.status_code == 200 else response.status_code

    with ThreadPoolExecutor(len(numbers)) as callers:
        answers = list(callers.map(ask, numbers))
    assert answers == [504 if n == 0 else 500 if n < 0 else n * n for n in numbers]


def old_style() -> flask.Flask:
    app = flask.Flask("predictor")

    @app.post("/invocations")
    def transformation() -> str:
        return "old"

    return app


def test_a_predictor_with_its_own_app_is_served_as_it_is(tmp_path: Path, events: Events) -> None:
    app = create_app(Settings.from_environ({"SM_MODEL_DIR": str(tmp_path)}), module(app=old_style()))
    assert app.model is None
    assert Client(app).post("/invocations").text == "old"
    (line,) = events("old_style_predictor")
    assert "deadlines" in line.bypassed


def test_an_app_beside_the_functions_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="defines app and predict_fn; keep one"):
        create_app(Settings.from_environ({"SM_MODEL_DIR": str(tmp_path)}), module(app=old_style(), predict_fn=echo))


def test_the_artifacts_script_wins_over_an_app(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "code").mkdir()
    script = "def model_fn(model_dir): return 1\ndef predict_fn(data, model): return 'artifact'"
    (tmp_path / "code" / "inference.py").write_text(script, encoding="utf-8")
    assert serve(tmp_path, app=old_style()).post("/invocations", json=["x"]).json == "artifact"
