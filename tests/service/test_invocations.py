"""POST /invocations on the default handlers: what goes in, what comes out. INV-* name contract.md."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

from container.app import create_app
from container.settings import Settings
from tests.service.conftest import IRIS_NAMES, SETOSA, VIRGINICA, ContractClient, Serve, module

CSV = "text/csv"
JSON = "application/json"
NAMED = "petal_width,sepal_length,petal_length,sepal_width\n0.2,5.1,1.4,3.5\n"


def test_inv_01_a_csv_request_is_answered_in_json(client: ContractClient) -> None:
    response = client.post("/invocations", data=SETOSA + VIRGINICA, content_type=CSV)
    assert (response.status_code, response.json) == (200, ["setosa", "virginica"])
    assert response.content_type == JSON


def test_inv_12_content_type_ignores_case_and_parameters(client: ContractClient) -> None:
    response = client.post("/invocations", data=SETOSA, content_type="Text/CSV; Charset=UTF-8")
    assert response.json == ["setosa"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [[5.1, 3.5, 1.4, 0.2]]},
        {"inputs": [[5.1, 3.5, 1.4, 0.2]]},
        {"dataframe_split": {"columns": list(IRIS_NAMES), "data": [[5.1, 3.5, 1.4, 0.2]]}},
        {"dataframe_records": [dict(zip(IRIS_NAMES, [5.1, 3.5, 1.4, 0.2], strict=True))]},
        dict(zip(reversed(IRIS_NAMES), [0.2, 1.4, 3.5, 5.1], strict=True)),
        [[5.1, 3.5, 1.4, 0.2]],
    ],
)
def test_every_json_form_is_read(client: ContractClient, body: object) -> None:
    assert client.post("/invocations", json=body).json == ["setosa"]


def test_json_lines_are_read_with_and_without_a_last_newline(client: ContractClient) -> None:
    lines = "[5.1, 3.5, 1.4, 0.2]\n[6.3, 3.3, 6.0, 2.5]"
    for body in (lines, lines + "\n"):
        response = client.post("/invocations", data=body, content_type="application/jsonlines")
        assert response.json == ["setosa", "virginica"]


def test_npy_is_read(client: ContractClient) -> None:
    body = io.BytesIO()
    np.save(body, np.array([[5.1, 3.5, 1.4, 0.2]]))
    response = client.post("/invocations", data=body.getvalue(), content_type="application/x-npy")
    assert response.json == ["setosa"]


def test_a_gzip_body_is_unpacked(client: ContractClient) -> None:
    response = client.post(
        "/invocations", data=gzip.compress(SETOSA.encode()), content_type=CSV, headers={"Content-Encoding": "gzip"}
    )
    assert response.json == ["setosa"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("text/csv;q=0.5, application/jsonlines", "application/jsonlines"),
        ("text/html, text/*;q=0.5", CSV),
    ],
)
def test_inv_09_to_11_accept_is_negotiated(client: ContractClient, accept: str | None, content_type: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = client.post("/invocations", data=SETOSA, content_type=CSV, headers=headers)
    assert (response.status_code, response.content_type.partition(";")[0]) == (200, content_type)


def test_inv_10_the_default_accept_is_a_setting(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, environ={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    response = client.post("/invocations", data=SETOSA, content_type=CSV, headers={"Accept": "*/*"})
    assert response.data.strip() == b"setosa"


def test_inv_17_a_request_without_content_type_is_taken_for_the_default(client: ContractClient) -> None:
    assert client.post("/invocations", data="[[5.1, 3.5, 1.4, 0.2]]").json == ["setosa"]


def test_columns_are_put_in_the_models_order(client: ContractClient) -> None:
    """Columns in another order would be a silent wrong answer."""
    assert client.post("/invocations", data=NAMED, content_type=CSV).json == ["setosa"]


def test_a_model_fitted_on_a_frame_gets_a_frame(serve: Serve, frame_dir: Path) -> None:
    client = serve(frame_dir)
    body = {"instances": [{"rooms": 1, "city": "Rome"}, {"rooms": 4, "city": "Oslo"}]}
    assert client.post("/invocations", json=body).json == ["Rome", "Oslo"]
    assert client.post("/invocations", data="Rome,1\nOslo,4\n", content_type=CSV).json == ["Rome", "Oslo"]


def test_one_column_of_text_is_a_list_of_texts_for_a_model_of_texts(serve: Serve, text_dir: Path) -> None:
    client = serve(text_dir)
    assert client.post("/invocations", json=["good film", "bad film"]).json == ["good", "bad"]
    assert client.post("/invocations", data="good film\nbad film\n", content_type=CSV).json == ["good", "bad"]
    assert client.post("/invocations", data="good film", content_type="text/plain").json == ["good"]


def test_a_spacy_pipeline_answers_documents(serve: Serve, textcat_dir: Path) -> None:
    client = serve(textcat_dir)
    one, two = client.post("/invocations", json={"inputs": ["good film", "bad film in Oslo"]}).json
    assert (one["text"], two["text"]) == ("good film", "bad film in Oslo")
    assert one["cats"]["GOOD"] > 0.5 > two["cats"]["GOOD"]
    assert two["ents"] == [{"text": "Oslo", "label": "GPE", "start": 12, "end": 16}]


def test_spacy_takes_one_text_or_a_list_under_input(serve: Serve, textcat_dir: Path) -> None:
    client = serve(textcat_dir)
    assert client.post("/invocations", json={"input": "Oslo"}).json["text"] == "Oslo"
    assert [doc["text"] for doc in client.post("/invocations", json={"input": ["a", "b"]}).json] == ["a", "b"]
    assert client.post("/invocations", data="Oslo", content_type="text/plain").json[0]["text"] == "Oslo"


def test_bt_05_many_records_come_back_in_their_order(client: ContractClient) -> None:
    wanted = ["setosa" if number % 3 else "virginica" for number in range(1000)]
    body = "".join(SETOSA if name == "setosa" else VIRGINICA for name in wanted)
    response = client.post("/invocations", data=body, content_type=CSV, headers={"Accept": "application/jsonlines"})
    assert [json.loads(line) for line in response.data.splitlines()] == wanted


def test_inv_03_a_body_of_25_mb_is_accepted(serve: Serve, iris_dir: Path) -> None:
    client = serve(iris_dir, input_fn=lambda body, _content_type: body, predict_fn=lambda data, _model: [len(data)])
    response = client.post("/invocations", data=b"x" * 25_000_000, content_type="application/octet-stream")
    assert response.json == [25_000_000]


def test_inv_06_a_body_without_a_length_is_read_to_its_end(client: ContractClient) -> None:
    """Transfer-Encoding: chunked, as the server hands it on."""
    response = client.post(
        "/invocations",
        input_stream=io.BytesIO(SETOSA.encode()),
        content_type=CSV,
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.json == ["setosa"]


def test_ping_is_200_only_while_the_lane_serves(client: ContractClient) -> None:
    assert client.get("/ping").status_code == 200


def test_ping_is_503_before_the_worker_has_started(iris_dir: Path) -> None:
    """Pain 17: 200 while nothing can be served yet makes the platform send requests too early."""
    app = create_app(Settings.from_environ({"SM_MODEL_DIR": str(iris_dir)}), module())
    assert ContractClient(app).get("/ping").status_code == 503
