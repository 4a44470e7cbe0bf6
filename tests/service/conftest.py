"""The app served in-process on small real models, through a client that holds every answer to the contract."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import spacy
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from spacy.training import Example
from werkzeug.test import Client, TestResponse

from container.app import create_app
from container.manifest import Sample, write_manifest
from container.settings import Settings
from container.thread_lane import ThreadLane

IRIS_NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
SETOSA, VIRGINICA = "5.1,3.5,1.4,0.2\n", "6.3,3.3,6.0,2.5\n"
BODY_LIMIT_BYTES = 2048
PATH_OR_TRACEBACK = re.compile(rb'Traceback|File \\"|\.py\b|site-packages|/(opt|tmp|home|root|work|usr)/')


class ContractClient(Client):
    """Checks what must hold for every answer, whatever the test is about: INV-08, INV-18, INV-19."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        assert "Content-Type" in response.headers
        if response.request.path == "/ping" and response.status_code in (200, 503):
            assert response.data == b""
            return response
        assert re.fullmatch(r"[\x21-\x7e]{1,128}", response.headers["X-Request-Id"])
        assert int(response.headers["Content-Length"]) == len(response.data)
        if response.status_code != 200:
            check_problem(response)
        return response


def check_problem(response: TestResponse) -> None:
    """An error: RFC 9457, short enough to reach the client, nothing of the server's inside."""
    assert response.headers["Content-Type"] == "application/problem+json"
    assert len(response.data) <= BODY_LIMIT_BYTES
    assert not PATH_OR_TRACEBACK.search(response.data)
    told = json.loads(response.data)
    assert set(told) == {"type", "title", "status", "detail", "request_id"}
    assert told["status"] == response.status_code
    assert told["request_id"] == response.headers["X-Request-Id"]
    assert told["detail"]


Serve = Callable[..., ContractClient]


def module(**functions: Any) -> ModuleType:
    """A predictor.py with these functions."""
    made = ModuleType("predictor")
    vars(made).update(functions)
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(model_dir, predict_fn=..., environ={...}) starts the app as a worker does; client.app is the app."""
    opened: list[Any] = []
    path, modules = sys.path[:], set(sys.modules)

    def start(model_dir: Path, environ: dict[str, str] | None = None, **functions: Any) -> ContractClient:
        settings = Settings.from_environ({"SM_MODEL_DIR": str(model_dir), **(environ or {})})
        app = create_app(settings, module(**functions))
        opened.append(app)
        app.model.start(ThreadLane(threads=1, queue_limit=settings.queue_limit, watchdog_s=settings.watchdog_s))
        app.model.warm_up()
        client = ContractClient(app)
        client.app = app
        return client

    yield start
    for app in opened:
        app.model.close()
    sys.path[:] = path
    for name in {"inference"} - modules:
        sys.modules.pop(name, None)


@pytest.fixture
def client(serve: Serve, iris_dir: Path) -> ContractClient:
    """The iris model with every function a default."""
    return serve(iris_dir)


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[logging.LogRecord]]:
    """events("request") is what was logged by that name."""
    caplog.set_level(logging.INFO)
    return lambda name: [record for record in caplog.records if record.getMessage() == name]


@pytest.fixture(scope="session")
def iris_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier fitted on an array, with the manifest that train writes."""
    folder = tmp_path_factory.mktemp("iris")
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, names), folder / "model.joblib")
    sample = Sample("text/csv", SETOSA)
    write_manifest(folder, feature_names=IRIS_NAMES, sample=sample, libraries=["joblib", "scikit-learn"])
    return folder


@pytest.fixture(scope="session")
def frame_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression fitted on a DataFrame with a text column, which selects its columns by name."""
    folder = tmp_path_factory.mktemp("frame")
    frame = pd.DataFrame({"city": ["Oslo", "Rome", "Oslo", "Rome"], "rooms": [1.0, 2.0, 3.0, 4.0]})
    prepare = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["rooms"]))
    joblib.dump(make_pipeline(prepare, LogisticRegression()).fit(frame, frame["city"]), folder / "model.joblib")
    return folder


@pytest.fixture(scope="session")
def text_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of texts: it takes a list of strings and states no columns."""
    folder = tmp_path_factory.mktemp("text")
    texts, labels = ["good film", "great film", "bad film", "awful film"], ["good", "good", "bad", "bad"]
    joblib.dump(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels), folder / "model.joblib")
    return folder


@pytest.fixture(scope="session")
def textcat_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spaCy pipeline trained for a moment: one text category, and entities by rule."""
    folder = tmp_path_factory.mktemp("textcat")
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    cats = {"good film": 1.0, "bad film": 0.0}
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"GOOD": good, "BAD": 1 - good}}) for text, good in cats.items()
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "Oslo"}])
    nlp.to_disk(folder / "pipeline")
    return folder
