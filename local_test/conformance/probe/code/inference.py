"""The checker's own model: each request orders its answer. Runs where code/inference.py of the model folder is run.

JSON is an order: {"do": "sleep", "seconds": 2}. Bytes (application/octet-stream) come back as they are, of COUNTED only
how many there are. Orders for model_fn stand in probe.json beside code/: load_s, ballast_mb, fail.
"""

import functools
import inspect
import json
import os
import threading
import time
from pathlib import Path

BLOB = "application/octet-stream"
COUNTED = "application/x-counted"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def model_fn(model_dir):
    orders = Path(model_dir, "probe.json")
    model = json.loads(orders.read_text()) if orders.exists() else {}
    time.sleep(model.get("load_s", 0))
    if model.get("fail"):
        raise RuntimeError("ordered to fail")
    model["ballast"] = os.urandom(int(model.get("ballast_mb", 0) * 2**20))
    return model


def input_fn(body, content_type):
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == BLOB:
        return {"do": "echo", "body": body}
    if media_type == COUNTED:
        return {"do": "say", "what": str(len(body))}
    return json.loads(body)


def predict_fn(data, model, context=None):
    order = DO[data.pop("do", "say")]
    known = {"context": context} if "context" in inspect.signature(order).parameters else {}
    return order(model, **known, **data)


def output_fn(prediction, accept):
    return prediction


def echo(model, body):
    return body, BLOB


def say(model, what="", content_type="text/plain"):
    return what, content_type


def sleep(model, seconds):
    time.sleep(seconds)
    return f"slept {seconds}", "text/plain"


def fill(model, size):
    return b"x" * size, BLOB


def stream(model, **order):
    return parts(**order), "text/plain"


def parts(count=3, pause_s=0.1, size=16, fail_at=None):
    """Parts of the same digit, with a pause between two."""
    for number in range(count):
        if number == fail_at:
            raise RuntimeError("ordered to fail")
        if number:
            time.sleep(pause_s)
        yield str(number % 10).encode() * size


def fail(model):
    raise RuntimeError("ordered to fail")


def tell(model):
    """Which process and thread answers, and which model this is."""
    answer = {"pid": os.getpid(), "thread": threading.get_ident(), "name": model.get("name")}
    return json.dumps(answer), "application/json"


def attributes(model, context, answer=""):
    """The Custom-Attributes that came: null if none did, and no such key where a script cannot know them."""
    told = {}
    if hasattr(context, "get_request_header"):  # the context of multi-model-server and TorchServe
        told["seen"] = context.get_request_header(0, ATTRIBUTES)
        write = functools.partial(context.set_response_header, 0)
    elif hasattr(context, "response_headers"):
        told["seen"] = context.headers.get(ATTRIBUTES)
        write = context.response_headers.__setitem__
    if told and answer:
        write(ATTRIBUTES, answer)
    return json.dumps(told), "application/json"


def die(model):
    os._exit(9)


def out_of_memory(model):
    raise MemoryError


DO = {each.__name__: each for each in (echo, say, sleep, fill, stream, fail, tell, attributes, die, out_of_memory)}
