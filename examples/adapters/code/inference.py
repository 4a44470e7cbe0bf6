"""Prices, and what single customers pay instead: docs/modes/adapters.md serves this folder."""

import json
from pathlib import Path


def model_fn(model_dir):
    return {"apple": 2.0, "plum": 0.5}


def adapter_fn(adapter_dir, model):
    return {**model, **json.loads(Path(adapter_dir, "prices.json").read_text())}


def predict_fn(data, model):
    return {"total": sum(model[name] * count for name, count in data.items())}
