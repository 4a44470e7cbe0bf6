"""YOU: how your model loads and predicts. Edit this file, and train; nothing else needs to change.

Four functions, called in this order. Each may take one more argument, context, with the request's headers and deadline:

    model_fn(model_dir)            -> model        once, before the first request
    input_fn(body, content_type)   -> data         default: CSV, JSON, JSON Lines, npy or text, by content type
    predict_fn(data, model)        -> prediction
    output_fn(prediction, accept)  -> body         default: JSON, CSV, JSON Lines or npy, as the client accepts

Only what you define here replaces a default. docs/contract.md tells the rest.
"""

from pathlib import Path
from typing import Any

import joblib

ROWS_ARE_INDEPENDENT = True  # predict_fn may get the rows of several requests in one call; without it one at a time


def model_fn(model_dir: str) -> Any:
    """Load what train saved."""
    return joblib.load(Path(model_dir) / "model.joblib")


def predict_fn(data: Any, model: Any) -> Any:
    """One prediction for each row of data, an array or a DataFrame with the columns that the model was fitted on."""
    return model.predict(data)
