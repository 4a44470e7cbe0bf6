"""The handlers for sagemaker-inference under multi-model-server."""

import json

import artifact


def model_fn(model_dir, context=None):
    return artifact.load()


def input_fn(data, content_type, context=None):
    if content_type == "text/csv":
        return artifact.rows_of(data if isinstance(data, str) else bytes(data).decode())
    return json.loads(data)


def predict_fn(data, model, context=None):
    if not isinstance(data, dict):
        return model.predict(data)
    if artifact.IS_TEXT:
        return {"output": artifact.entities(model, data["input"])}
    return {"predictions": model.predict(data["instances"]).tolist()}


def output_fn(prediction, accept, context=None):
    if isinstance(prediction, dict):
        return json.dumps(prediction), "application/json"
    return artifact.csv_of(prediction), "text/csv"
