"""The predictor.py of test_bodies: sends bytes back as they came, numbers as they were read, or what the context says.

Staged as predictor.py into the program folder of a server; it never runs in the test's own process.
"""

import time

from container import codecs


def model_fn(model_dir):
    return None


def transform_fn(model, body, content_type, accept, context):
    if content_type.startswith("application/x-context"):
        return told(context), "application/json"
    if content_type == "application/x-sleep":
        time.sleep(float(body))
    if content_type == "application/x-sized":
        return bytes(range(256)) * (int(body) // 256), "application/octet-stream"
    if content_type == "text/csv":
        return codecs.decode(body.encode(), content_type).values
    return body, content_type


def told(context):
    """Everything that a handler may know of its request; the custom attributes also go back if they say so."""
    attributes = context.custom_attributes
    if attributes and attributes.startswith("back"):
        context.response_headers["X-Amzn-SageMaker-Custom-Attributes"] = attributes
    return {"custom_attributes": attributes, "accept": context.accept, "content_type": context.content_type} | {
        name.lower(): value for name, value in context.headers.items()
    }
