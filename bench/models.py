"""Trains the models that all servers load and writes the bodies that all are sent. Called by assets and growth, once.

The only file of the benchmark that imports scikit-learn and spaCy.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import spacy
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed

from bench.assets import ASSETS_DIR, PAYLOADS_DIR
from bench.environments import PROJECT_DIR
from container.manifest import Sample, write_manifest

TEXT_CHARS = 300
PEOPLE = ("Ada Byrne", "Emil Castro", "Ines Duval", "Jonas Ek", "Mara Fink", "Noor Hakimi", "Otto Ivers", "Tess Okoro")
PLACES = ("Bergen", "Cork", "Graz", "Lima", "Nagoya", "Porto", "Quito", "Turku")
FIRMS = ("Alder Mills", "Bluewater Labs", "Corvid Foods", "Delta Rail", "Evergreen Bank", "Foxglove Media")
SENTENCES = ("{person} left {firm} for {place}.", "In {place}, {firm} hired {person}.",
             "{firm} built a bridge near {place}.", "{person} wrote to {firm} about {place}.")  # fmt: skip


def make_tabular() -> dict[str, Any]:
    """Write both tabular models and their bodies; artifact -> payload -> right answer."""
    features, classes = load_iris(return_X_y=True)
    models = {
        "m1": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(features, classes),
        "rf": RandomForestClassifier(n_estimators=200, random_state=0).fit(features, classes),
    }
    rows = _rows(features)
    write_rows("row", rows[:1])
    write_rows("batch", rows)
    for name, model in models.items():
        write_model(ASSETS_DIR / name, model, (PAYLOADS_DIR / "row.csv").read_text())
    return {name: {"row": model.predict(rows[:1]).tolist(), "batch": model.predict(rows).tolist()}
            for name, model in models.items()}  # fmt: skip


def _rows(features: NDArray[Any]) -> NDArray[Any]:
    """1,000 flowers like those of the sample, one decimal."""
    chance = np.random.default_rng(7)
    picked = features[chance.integers(0, len(features), 1000)]
    return np.abs(np.round(picked + chance.normal(0, 0.15, picked.shape), 1))


def write_rows(name: str, rows: NDArray[Any]) -> None:
    """The rows in every form that a server may take."""
    given = rows.tolist()
    inputs = [{"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}]
    (PAYLOADS_DIR / f"{name}.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in given))
    _write_json(f"{name}.json", {"instances": given})
    _write_json(f"{name}.v2.json", {"inputs": inputs})


def write_model(folder: Path, model: Any, sample: str) -> None:
    """The artifact as train leaves it: model.joblib, and a manifest with a request to warm up with."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    write_manifest(folder, sample=Sample("text/csv", sample), libraries=["joblib", "numpy", "scikit-learn", "scipy"])


def write_big(folder: Path, megabytes: int) -> None:
    """An artifact of so many MB: a model that holds an array and always says 0."""
    model = DummyClassifier(strategy="constant", constant=0).fit(np.zeros((2, 4)), [0, 1])
    model.array_ = np.random.default_rng(1).random(megabytes * 125_000)  # 8 bytes each
    write_model(folder, model, (PAYLOADS_DIR / "row.csv").read_text())


def make_entities() -> dict[str, Any]:
    """A small English pipeline, trained on made sentences: what it finds does not matter, what it costs does."""
    chance = random.Random(1)  # noqa: S311 - no secret: the same sentences each time
    nlp = _train([_sentence(chance) for _ in range(300)])
    text = " ".join(_sentence(chance)[0] for _ in range(12))[:TEXT_CHARS]
    inputs = [
        {"name": "x", "shape": [1, 1], "datatype": "BYTES", "data": [text], "parameters": {"content_type": "str"}}
    ]
    _write_json("text.json", {"input": text})
    _write_json("text.v2.json", {"inputs": inputs})
    _write_json("text.list.json", {"input": [text]})
    _write_pipeline(nlp, json.dumps({"input": text}))
    return {"ner": {"text": [[each.text, each.label_] for each in nlp(text).ents]}}


def _write_pipeline(nlp: Language, sample: str) -> None:
    folder = ASSETS_DIR / "ner"
    (folder / "code").mkdir(parents=True, exist_ok=True)
    nlp.to_disk(folder / "pipeline")
    shutil.copyfile(PROJECT_DIR / "examples/spacy_ner/predictor.py", folder / "code/inference.py")
    write_manifest(folder, sample=Sample("application/json", sample), libraries=["numpy", "spacy"])


def _sentence(chance: random.Random) -> tuple[str, list[tuple[int, int, str]]]:
    """A sentence, and where its names stand."""
    names = {"person": chance.choice(PEOPLE), "place": chance.choice(PLACES), "firm": chance.choice(FIRMS)}
    text = chance.choice(SENTENCES).format(**names)
    labels = zip(names.values(), ("PERSON", "GPE", "ORG"), strict=True)
    return text, [(text.index(name), text.index(name) + len(name), label) for name, label in labels if name in text]


def _train(sentences: list[tuple[str, list[tuple[int, int, str]]]]) -> Language:
    fix_random_seed(1)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = [Example.from_dict(nlp.make_doc(text), {"entities": spans}) for text, spans in sentences]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(4):
        for start in range(0, len(examples), 32):
            nlp.update(examples[start : start + 32], sgd=optimizer, drop=0.1)
    return nlp


def _write_json(name: str, content: Any) -> None:
    (PAYLOADS_DIR / name).write_text(json.dumps(content))
