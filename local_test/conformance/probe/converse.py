"""A script that says over a WebSocket what it hears, in its kind: becomes code/inference.py of a model folder."""


def model_fn(model_dir):
    return {}


def stream_fn(messages, model):
    yield from messages
