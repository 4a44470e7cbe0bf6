"""Scripts that import sagemaker_containers, as those for the scikit-learn container do, are served unchanged."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.errors import StartupError
from tests.service.conftest import Serve

SCALER = """
import sagemaker_containers
from sagemaker_containers.beta.framework import (
    content_types, encoders, env, modules, transformer, worker)

def model_fn(model_dir):
    return 10

def input_fn(body, content_type):
    return encoders.decode(body, content_type)

def predict_fn(data, model):
    return data * model

def output_fn(prediction, accept):
    if accept == "application/json":
        return worker.Response(encoders.encode({"instances": prediction}, accept), accept, mimetype=accept)
    return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "sagemaker_containers"]:
        del sys.modules[name]


def folder(parent: Path, script: str) -> Path:
    (parent / "code").mkdir()
    (parent / "code" / "inference.py").write_text(script)
    return parent


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(("body", "content_type"), [
    (b"1,2\n3,4\n", "text/csv"), (b"[[1, 2], [3, 4]]", "application/json"),
    (npy([[1, 2], [3, 4]]), "application/x-npy"),
])  # fmt: skip
def test_each_format_is_read_and_written(serve: Serve, tmp_path: Path, body: bytes, content_type: str) -> None:
    client = serve(folder(tmp_path, SCALER))

    def ask(accept: str) -> bytes:
        answer = client.post("/invocations", data=body, content_type=content_type, headers={"Accept": accept})
        assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, accept)
        return answer.data

    assert json.loads(ask("application/json")) == {"instances": [[10, 20], [30, 40]]}
    rows = [[float(each) for each in line.split(",")] for line in ask("text/csv").decode().splitlines()]
    assert rows == [[10, 20], [30, 40]]
    assert np.load(io.BytesIO(ask("application/x-npy"))).tolist() == [[10, 20], [30, 40]]


@pytest.mark.parametrize(("body", "content_type", "accept", "status", "detail"), [
    (b"1,2\n3\n", "text/csv", "text/csv", 400, "not CSV of one width"),
    (b"{", "application/json", "text/csv", 400, "JSON"),
    (npy(np.array([{}])), "application/x-npy", "text/csv", 400, "npy"),
    (npy([1.0]).replace(b"(1,)", b"(9,)"), "application/x-npy", "text/csv", 400, "bytes of data"),
    (npy([1.0]).replace(b"{'descr'", b"{'descr("), "application/x-npy", "text/csv", 400, "npy"),
    (b"x", "image/png", "text/csv", 415, "image/png"),
    (b"1,2\n", "text/csv", "image/png", 406, "image/png"),
])  # fmt: skip
def test_what_cannot_be_read_or_written_has_its_status(
    serve: Serve, tmp_path: Path, body: bytes, content_type: str, accept: str, status: int, detail: str
) -> None:
    client = serve(folder(tmp_path, SCALER))
    answer = client.post("/invocations", data=body, content_type=content_type, headers={"Accept": accept})
    assert (answer.status_code, detail in json.loads(answer.data)["detail"]) == (status, True)


def test_csv_of_texts_stays_texts_and_one_row_has_one_dimension(serve: Serve, tmp_path: Path) -> None:
    script = SCALER.replace("data * model", "[str(data.dtype.kind), data.ndim]")
    answer = serve(folder(tmp_path, script)).post("/invocations", data=b"M,0.5\n", content_type="text/csv")
    assert json.loads(answer.data) == {"instances": ["U", 1]}


@pytest.mark.parametrize(("line", "advice"), [
    ("env.TrainingEnv()", "settings are in os.environ"),
    ("from sagemaker_containers.beta.framework import training_env", "do without the rest"),
    ("import sagemaker_containers.entry_point", "do without the rest"),
])  # fmt: skip
def test_what_is_not_there_is_told_when_it_is_used(serve: Serve, tmp_path: Path, line: str, advice: str) -> None:
    with pytest.raises(StartupError, match=advice):
        serve(folder(tmp_path, f"{SCALER}\n{line}\n"))


def test_a_status_in_a_response_is_refused_and_says_what_to_do(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = SCALER.replace("mimetype=accept)\n    return", "status=422)\n    return")
    answer = serve(folder(tmp_path, script)).post("/invocations", data=b"1,2\n", content_type="text/csv")
    assert answer.status_code == 500
    assert "raise an exception with a status" in caplog.text


def test_an_installed_package_of_that_name_wins(serve: Serve, tmp_path: Path) -> None:
    model_dir = folder(
        tmp_path, "import sagemaker_containers\n\ndef predict_fn(data, model): return 1\ndef model_fn(d): 0"
    )
    (tmp_path / "code" / "lib" / "sagemaker_containers").mkdir(parents=True)
    (tmp_path / "code" / "lib" / "sagemaker_containers" / "__init__.py").write_text("REAL = True")
    serve(model_dir)
    assert sys.modules["sagemaker_containers"].REAL is True
