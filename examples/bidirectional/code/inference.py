"""A conversation over a WebSocket: docs/modes/bidirectional.md serves this folder."""


def model_fn(model_dir):
    return {"apple": 2.0, "plum": 0.5}


def stream_fn(messages, model):
    total = 0.0
    for name in messages:
        total += model[name]
        yield f"{name}: {model[name]}, together {total}"
