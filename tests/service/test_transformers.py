"""A model that transforms and does not predict, such as the first stage of a pipeline: served without a handler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.service.conftest import SETOSA, VIRGINICA, Serve

IRIS = load_iris(return_X_y=True)[0]
ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])

Saved = Callable[[Any], Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """saved(model) is a model folder with nothing but the model."""

    def save(model: Any) -> Path:
        joblib.dump(model, tmp_path / "model.joblib")
        return tmp_path

    return save


@pytest.mark.parametrize("model", [StandardScaler(), make_pipeline(SimpleImputer(), StandardScaler())])
def test_a_scaler_answers_with_scaled_rows(serve: Serve, saved: Saved, model: Any) -> None:
    """Alone, or as the end of a scikit-learn pipeline, which has a predict only where its last step has."""
    client = serve(saved(model.fit(IRIS)))
    answer = client.post("/invocations", data=SETOSA + VIRGINICA, content_type="text/csv")
    assert answer.json == model.transform(ROWS).tolist()
    assert client.app.model.batched


def test_the_scaled_rows_are_what_the_next_stage_reads_by_their_own_content_type(serve: Serve, saved: Saved) -> None:
    """To the bit, in each type that may be handed on."""
    scaler = StandardScaler().fit(IRIS)
    client = serve(saved(scaler))
    for accept in ("application/json", "text/csv", "application/jsonlines", "application/x-npy"):
        first = client.post("/invocations", data=SETOSA, content_type="text/csv", headers={"Accept": accept})
        second = client.post("/invocations", data=first.data, content_type=first.headers["Content-Type"])
        assert second.json == scaler.transform(scaler.transform(ROWS[:1])).tolist(), accept


def test_a_model_that_predicts_and_transforms_predicts(serve: Serve, saved: Saved) -> None:
    model = KMeans(2, n_init=1, random_state=0).fit(IRIS)
    answer = serve(saved(model)).post("/invocations", data=SETOSA, content_type="text/csv")
    assert answer.json == model.predict(ROWS[:1]).tolist()


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_sparse_answers_are_whole_rows(serve: Serve, saved: Saved, accept: str) -> None:
    model = TfidfVectorizer().fit(["red", "blue", "red blue green"])
    client = serve(saved(model))
    answer = client.post("/invocations", json=["red", "green blue"], headers={"Accept": accept})
    rows = answer.json if answer.json else [[float(cell) for cell in line.split(",")] for line in answer.text.split()]
    assert rows == model.transform(["red", "green blue"]).toarray().tolist()


def test_what_the_transformer_refuses_is_the_clients_to_fix(serve: Serve, saved: Saved) -> None:
    client = serve(saved(OneHotEncoder().fit([["red"], ["blue"]])))
    answer = client.post("/invocations", data="green\n", content_type="text/csv")
    assert (answer.status_code, "unknown categories" in answer.json["detail"]) == (422, True)
