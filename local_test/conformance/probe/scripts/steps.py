"""Answers how it was called: the four functions, none with a context. {"raise": 422} or {"sleep": 2} orders more."""

import json
import os
import time

try:
    from sagemaker_inference.errors import BaseInferenceToolkitError as ErrorWithStatus
except ImportError:
    ErrorWithStatus = Exception

OWN_TYPE = "text/x-conformance"
LOADS = []


class Refused(ErrorWithStatus):
    """As the inference toolkit's own errors are made, where it is not installed too."""

    def __init__(self, status_code):
        Exception.__init__(self, "refused on order")
        self.status_code, self.message, self.phrase = status_code, "refused on order", "Refused"


def model_fn(model_dir):
    LOADS.append(model_dir)
    return {"of": "model_fn", "model_dir": str(model_dir)}


def input_fn(body, content_type):
    order = json.loads(body) if content_type.startswith("application/json") else {}
    return {"steps": ["input_fn"], "body": type(body).__name__, "order": order if isinstance(order, dict) else {}}


def predict_fn(data, model):
    order = data["order"]
    time.sleep(order.get("sleep", 0))
    if "raise" in order:
        raise Refused(order["raise"]) if order["raise"] else KeyError("raised on order")
    data["steps"].append("predict_fn")
    return {**data, "model": model.get("of"), "loads": len(LOADS), "pid": os.getpid(), "helper": helper()}


def output_fn(prediction, accept):
    prediction["steps"].append("output_fn")
    return json.dumps(prediction), OWN_TYPE


def helper():
    """What the module beside this one says."""
    try:
        import conformance_helper
    except ImportError as error:
        return str(error)
    return conformance_helper.WORD
