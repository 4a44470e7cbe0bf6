"""Probabilities instead of labels. AWS's scikit-learn image and this repository's know these functions alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib


def model_fn(model_dir: str) -> Any:
    return joblib.load(Path(model_dir) / "model.joblib")


def predict_fn(data: Any, model: Any) -> Any:
    return model.predict_proba(data)
