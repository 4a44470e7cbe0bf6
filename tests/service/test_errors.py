"""What is refused, with which status and which words; and what the log then holds."""

from __future__ import annotations

import gzip
import io
import json
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from container.errors import UnprocessableInput
from tests.docs.pages import ROOT
from tests.service.conftest import SETOSA, ContractClient, Serve

CSV = "text/csv"
JSON = "application/json"
MODEL_CODE_FAILED = "The model code failed; the log has the traceback under this request_id."

NGINX_CONF = (ROOT / "nginx.conf").read_text()

Events = Callable[[str], list[Any]]


def raising(error: BaseException) -> Callable[[Any, Any], Any]:
    def predict_fn(_data: Any, _model: Any) -> Any:
        raise error

    return predict_fn


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status"),
    [
        (b"{", JSON, {}, 400),
        (b"", CSV, {}, 400),
        (b"[[1,2],[3]]", JSON, {}, 422),
        (b"\xff\xfe\x00", CSV, {}, 400),
        (b"not gzip", CSV, {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"1,2,3,4\n", mtime=0), JSON, {}, 400),
        (gzip.compress(b"1,2,3,4\n" * 100, mtime=0)[:-9], CSV, {"Content-Encoding": "gzip"}, 400),
        (b"1,2,3,4", CSV, {"Content-Encoding": "br"}, 415),
        (b"<x/>", "application/x-nope", {}, 415),
        (b"1,2,3,4", "nonsense", {}, 415),
        (b"1,2,3,4", "text/csv; charset=nope", {}, 415),
        (b"1,2,3,4", CSV, {"Accept": "image/png"}, 406),
        (b"\x93NUMPY\x01\x00", "application/x-npy", {}, 400),
    ],
)  # fmt: skip
def test_inv_13_to_16_a_clients_mistake_is_a_4xx(
    client: ContractClient, body: bytes, content_type: str, headers: dict[str, str], status: int
) -> None:
    response = client.post("/invocations", data=body, content_type=content_type, headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"1,2,3\n", CSV, "The rows have 3 columns, the model takes 4"),
        (b'{"instances": [[1, 2, 3, 4, 5]]}', JSON, "The rows have 5 columns, the model takes 4"),
        (b"sepal_length,sepal_width,petal_length,other\n1,2,3,4\n", CSV, "missing: petal_width; not expected: other"),
        (b'{"foo": 1}', JSON, "the body is a JSON object with other keys"),
        (b'{"sepal_length": 1}', JSON, "missing: sepal_width, petal_length, petal_width"),
        (b'["a text"]', JSON, "the body is a list of texts"),
        (b'[["a", ["b"]]]', JSON, "the body is a list of other values"),
        (b"1;2;3;4\n", CSV, "The rows have 1 column, the model takes 4"),
        (b"1;2;3;4\n", CSV, "The fields of a CSV are separated by commas, not by ';'."),
        (b",sepal_length\n0,1\n", CSV, "not expected: ''"),
        (b"[1, 2, 3, 4]", JSON, "an array of 1 dimension"),
        (b"1,2,3,\n", CSV, "Input X contains NaN"),
        (b"1,2,3,abc\n", CSV, "Record 1, column 4 (petal_width): 'abc' is not a number."),
        (b'[[1, 2, 3, 4], [1, "2", 3, 4]]', JSON, "Record 2, column 2 (sepal_width): '2' is not a number."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("functions", [{}, {"predict_fn": lambda data, model: model.predict(data)}])
def test_data_that_the_model_cannot_take_is_422_with_the_reason(
    serve: Serve, iris_dir: Path, functions: dict[str, Any], body: bytes, content_type: str, words: str
) -> None:
    """Also when predict_fn is written by the user: it is scikit-learn that refuses, not the user's code that fails."""
    response = serve(iris_dir, **functions).post("/invocations", data=body, content_type=content_type)
    assert response.status_code == 422
    assert words in response.json["detail"]


@pytest.mark.parametrize("content_type", [CSV, JSON, "text/plain"])
def test_a_gzip_body_that_does_not_say_so_is_told_which_header_lacks(client: ContractClient, content_type: str) -> None:
    response = client.post("/invocations", data=gzip.compress(b"[1,2,3,4]", mtime=0), content_type=content_type)
    assert "say so with Content-Encoding: gzip" in response.json["detail"]


def call_predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def test_a_category_that_the_model_never_saw_is_422(serve: Serve, frame_dir: Path) -> None:
    response = serve(frame_dir, predict_fn=call_predict).post("/invocations", data="Paris,1\n", content_type=CSV)
    assert response.status_code == 422
    assert "unknown categories" in response.json["detail"]


def test_text_in_a_column_of_numbers_is_422_for_a_frame_too(serve: Serve, frame_dir: Path) -> None:
    response = serve(frame_dir, predict_fn=call_predict).post("/invocations", data="Oslo,abc\n", content_type=CSV)
    assert response.status_code == 422
    assert "'abc'" in response.json["detail"]


@pytest.mark.parametrize("functions", [{}, {"predict_fn": call_predict}])
def test_a_model_that_was_never_fitted_is_a_500(serve: Serve, tmp_path: Path, functions: dict[str, Any]) -> None:
    """NotFittedError is a ValueError, but no client can mend it."""
    client = serve(tmp_path, model_fn=lambda _model_dir: LinearRegression(), **functions)
    assert client.post("/invocations", data="1,2\n", content_type=CSV).status_code == 500


def test_a_bug_in_a_transformer_of_the_user_is_a_500(serve: Serve, tmp_path: Path) -> None:
    """scikit-learn calls it, and the error passes through; still it is the user's."""

    def transform(data: Any) -> Any:
        return data.reshape(2, 2)

    model = make_pipeline(FunctionTransformer(transform), LinearRegression()).fit(np.eye(2), [1, 2])
    client = serve(tmp_path, model_fn=lambda _model_dir: model, predict_fn=call_predict)
    assert client.post("/invocations", data="1,2\n3,4\n", content_type=CSV).status_code == 200
    assert client.post("/invocations", data="1,2\n", content_type=CSV).status_code == 500


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x")])
def test_a_bug_in_a_class_of_the_user_is_a_500_with_its_traceback(
    serve: Serve, tmp_path: Path, events: Events, error: Exception
) -> None:
    """A 422 would blame the client, and leave no trace in the log."""

    class Predictor:
        def __init__(self, model_dir: str) -> None: ...

        def predict(self, _data: Any) -> Any:
            raise error

    assert serve(tmp_path, model_fn=Predictor).post("/invocations", data="1\n", content_type=CSV).status_code == 500
    assert events("request_failed")[0].exc_info[1] is error


def test_data_that_numpy_refuses_in_a_class_of_the_user_is_a_500(serve: Serve, tmp_path: Path) -> None:
    class Predictor:
        def __init__(self, model_dir: str) -> None: ...

        def predict(self, data: Any) -> Any:
            return data @ np.ones(3)

    client = serve(tmp_path, model_fn=Predictor)
    assert client.post("/invocations", data="1,2,3\n", content_type=CSV).json == [6.0]
    assert client.post("/invocations", data="1,2\n", content_type=CSV).status_code == 500


def test_an_error_with_an_unsafe_header_is_a_500(serve: Serve, text_dir: Path) -> None:
    error = UnprocessableInput("no", headers={"X-Mine": "a\r\nSet-Cookie: b"})
    response = serve(text_dir, predict_fn=raising(error)).post("/invocations", json=["good film"])
    assert response.status_code == 500
    assert "X-Mine" not in response.headers


def test_a_column_given_twice_is_named(client: ContractClient) -> None:
    body = "sepal_length,sepal_width,petal_length,petal_width,petal_width\n1,2,3,4,5\n"
    response = client.post("/invocations", data=body, content_type=CSV)
    assert "given twice: petal_width" in response.json["detail"]


def test_an_unacceptable_accept_is_refused_before_the_model_works(serve: Serve, iris_dir: Path) -> None:
    calls: list[Any] = []
    client = serve(iris_dir, predict_fn=lambda data, _model: calls.append(data))
    warm_ups = len(calls)
    response = client.post("/invocations", data=SETOSA, content_type=CSV, headers={"Accept": "image/png"})
    assert (response.status_code, len(calls)) == (406, warm_ups)


def test_a_body_over_the_limit_is_413_with_both_numbers(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ={"SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"})
    response = client.post("/invocations", data=b"1" * 1_048_577, content_type=CSV)
    assert response.status_code == 413
    assert "1048577 bytes, the limit is 1048576" in response.json["detail"]


def test_a_body_over_the_limit_is_413_without_a_length_too(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ={"SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"})
    response = client.post(
        "/invocations",
        input_stream=io.BytesIO(b"1" * 1_048_577),
        content_type=CSV,
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert response.status_code == 413


def test_a_gzip_body_that_unpacks_over_the_limit_is_413(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ={"SERVING_MAX_UNPACKED_MB": "1"})
    body = gzip.compress(b"1,2,3,4\n" * 200_000, mtime=0)
    response = client.post("/invocations", data=body, content_type=CSV, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 413


def test_inv_26_a_body_that_ends_early_is_400(client: ContractClient) -> None:
    response = client.post(
        "/invocations", input_stream=io.BytesIO(b"1,2"), content_type=CSV, environ_overrides={"CONTENT_LENGTH": "100"}
    )
    assert (response.status_code, response.json["detail"]) == (400, "The body ended after 3 of 100 bytes.")
    assert client.post("/invocations", data=SETOSA, content_type=CSV).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_inv_23_another_method_is_405_with_allow(client: ContractClient, method: str) -> None:
    response = client.open("/invocations", method=method)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.json["detail"] in NGINX_CONF, "in the same words, whoever answers"


@pytest.mark.parametrize("path", ["/", "/nope", "/invocations/", "//invocations", "/models", "/static/x", "/%2e%2e/x"])
def test_inv_23_an_unknown_path_is_404(client: ContractClient, path: str) -> None:
    response = client.post(path, data=SETOSA)
    assert response.status_code == 404
    assert response.json["detail"] in NGINX_CONF


def test_an_exception_of_user_code_is_500_and_its_traceback_is_in_the_log_alone(
    serve: Serve, iris_dir: Path, events: Events
) -> None:
    def predict_fn(data: Any, _model: Any) -> Any:
        if len(data) > 1:
            raise RuntimeError("the secret reason")
        return [0]

    response = serve(iris_dir, predict_fn=predict_fn).post("/invocations", data=SETOSA * 2, content_type=CSV)
    assert (response.status_code, response.json["detail"]) == (500, MODEL_CODE_FAILED)
    (failed,) = events("request_failed")
    assert failed.exc_info[0] is RuntimeError
    assert str(failed.exc_info[1]) == "the secret reason"


def test_a_failed_request_is_still_logged_as_a_request(serve: Serve, text_dir: Path, events: Events) -> None:
    client = serve(text_dir, input_fn=lambda _body, _content_type: 1 / 0)
    client.post("/invocations", data=SETOSA, content_type=CSV)
    request = events("request")[-1]
    assert (request.status, request.error, request.bytes_in) == (500, "ZeroDivisionError", len(SETOSA))


@pytest.mark.parametrize("function", ["input_fn", "predict_fn", "output_fn"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), CancelledError()])
def test_user_code_that_wants_to_exit_is_a_500_and_the_worker_lives(
    serve: Serve, text_dir: Path, function: str, error: BaseException
) -> None:
    """A library that calls sys.exit() must not take the worker and everyone else's requests with it."""
    fail = raising(error)
    client = serve(text_dir, **{function: fail})
    for _ in range(2):
        assert client.post("/invocations", json=["good film"]).status_code == 500
    assert client.get("/ping").status_code == 200


def test_scr_06_a_serving_error_of_user_code_keeps_its_status_and_words(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir, predict_fn=raising(UnprocessableInput("Send more films.")))
    response = client.post("/invocations", json=["good film"])
    assert (response.status_code, response.json["detail"]) == (422, "Send more films.")


class Coded(Exception):
    def __init__(self, **attributes: int) -> None:
        super().__init__("as the user says")
        vars(self).update(attributes)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [({"status": 418}, 418), ({"status_code": 429}, 429), ({"status": 499}, 499), ({"status": 503}, 503)],
)
def test_scr_06_an_error_object_with_a_status_keeps_it(
    serve: Serve, text_dir: Path, attributes: dict[str, int], status: int
) -> None:
    response = serve(text_dir, predict_fn=raising(Coded(**attributes))).post("/invocations", json=["good film"])
    assert (response.status_code, response.json["detail"]) == (status, "as the user says")


@pytest.mark.parametrize("attributes", [{"status": 200}, {"status": 0}, {"status_code": 999}])
def test_a_status_that_is_no_error_is_a_500(serve: Serve, text_dir: Path, attributes: dict[str, int]) -> None:
    response = serve(text_dir, predict_fn=raising(Coded(**attributes))).post("/invocations", json=["good film"])
    assert response.status_code == 500


def test_flask_abort_in_a_handler_keeps_its_status(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir, predict_fn=lambda _data, _model: flask.abort(409, "Not now."))
    response = client.post("/invocations", json=["good film"])
    assert (response.status_code, response.json["detail"]) == (409, "Not now.")


def test_no_memory_is_a_500_that_says_so(serve: Serve, text_dir: Path) -> None:
    response = serve(text_dir, predict_fn=raising(MemoryError())).post("/invocations", json=["good film"])
    assert response.status_code == 500
    assert "out of memory" in response.json["detail"]


@pytest.mark.parametrize("text", ["x" * 100_000, "é" * 5000, '"' * 5000, "\x00" * 5000, "\ud800" * 3000])
def test_inv_18_a_long_reason_is_cut_to_what_reaches_a_client(serve: Serve, text_dir: Path, text: str) -> None:
    """The client fixture checks the length; JSON's escapes and UTF-8 make bytes of characters."""
    client = serve(text_dir, predict_fn=raising(UnprocessableInput(text)))
    response = client.post("/invocations", json=["good film"])
    assert response.status_code == 422
    assert len(response.data) > 1000


def test_a_text_longer_than_the_pipeline_takes_is_413(serve: Serve, textcat_dir: Path) -> None:
    """Pain 65: spaCy itself would raise, and the client would read of a server fault."""
    client = serve(textcat_dir)
    client.app.model.loaded.max_length = 100
    response = client.post("/invocations", json=["short", "x" * 101])
    assert (response.status_code, response.json["detail"]) == (
        413,
        "Text 2 has 101 characters, the pipeline takes 100.",
    )


@pytest.mark.parametrize("body", [[1, 2], {"input": 5}, {"text": "x"}])
def test_what_is_no_text_is_422_for_a_pipeline(serve: Serve, textcat_dir: Path, body: object) -> None:
    response = serve(textcat_dir).post("/invocations", json=body)
    assert response.status_code == 422
    assert '{"input": "text"}' in response.json["detail"]


def test_an_answer_that_cannot_be_written_is_a_500(serve: Serve, text_dir: Path, events: Events) -> None:
    response = serve(text_dir, predict_fn=lambda _data, _model: object()).post("/invocations", json=["good film"])
    assert response.status_code == 500
    assert "cannot be written" in str(events("request_failed")[0].exc_info[1])


def test_a_fault_outside_of_a_request_to_the_model_is_problem_json_too(
    client: ContractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.app.model, "stuck", lambda: 1 / 0)
    assert client.get("/ping").status_code == 500


def test_the_problem_names_the_request(client: ContractClient) -> None:
    response = client.post("/invocations", data="{", content_type=JSON, headers={"X-Request-Id": "abc-123"})
    assert json.loads(response.data)["request_id"] == "abc-123"
