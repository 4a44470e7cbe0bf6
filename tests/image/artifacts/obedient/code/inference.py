"""The model of many image tests: each request says what its answer shall be.

Bytes (application/octet-stream) come back as they are. JSON is an order: sleep_s, answer_bytes, custom_attributes;
its answer tells what the handler saw.
"""

import json
import os
import tempfile
import time
from pathlib import Path


def model_fn(model_dir):
    time.sleep(float(os.environ.get("LOAD_S", "0")))
    return {"pid": os.getpid()}


def transform_fn(model, body, content_type, accept, context):
    if content_type == "application/octet-stream":
        return body, content_type
    order = json.loads(body)
    if "sleep_s" in order:
        Path(tempfile.gettempdir(), "sleeping").touch()
        time.sleep(order["sleep_s"])
    if "answer_bytes" in order:
        return b"x" * order["answer_bytes"], "application/octet-stream"
    if "custom_attributes" in order:
        context.response_headers["X-Amzn-SageMaker-Custom-Attributes"] = order["custom_attributes"]
    seen = {"accept": accept, "custom_attributes": context.custom_attributes, "inference_id": context.inference_id}
    return json.dumps({**model, **seen, "headers": dict(context.headers)}), "application/json"
