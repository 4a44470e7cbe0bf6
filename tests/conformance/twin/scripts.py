"""Runs code/inference.py of a model folder by the scripts' contract: model_fn, input_fn, predict_fn, output_fn."""

import importlib.util
import inspect
import os
import sys
import threading
import time

from web import Response

TIMEOUT_S = float(os.environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", 60))
TEXTS = ("application/json", "text/csv")


def load(model_dir):
    """The folder's script, its model loaded; None if it has none."""
    path = model_dir / "code" / "inference.py"
    return Script(path, model_dir) if path.is_file() else None


class Context:
    """What a function may know of its request."""

    def __init__(self, request):
        self.headers = request.headers
        self.response_headers = {}


class Script:
    def __init__(self, path, model_dir):
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location("inference", path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.model = self.call("model_fn", None, str(model_dir))
        self.began_s = {}

    def answer(self, request):
        self.began_s[threading.get_ident()] = time.monotonic()
        try:
            return self.response(request)
        finally:
            del self.began_s[threading.get_ident()]

    def response(self, request):
        context = Context(request)
        content_type, accept = request.header("Content-Type", "application/json"), request.header("Accept")
        body = request.body.decode() if content_type.partition(";")[0] in TEXTS else request.body
        data = self.call("input_fn", context, body, content_type)
        prediction = self.call("predict_fn", context, data, self.model)
        return response_of(self.call("output_fn", context, prediction, accept), accept, context)

    def call(self, name, context, *arguments):
        function = getattr(self.module, name)
        wants_context = len(inspect.signature(function).parameters) > len(arguments)
        return function(*arguments, context) if wants_context else function(*arguments)

    def usable(self):
        """Whether no request runs for longer than it may."""
        return all(time.monotonic() - began_s < TIMEOUT_S for began_s in list(self.began_s.values()))


def response_of(result, accept, context):
    body, content_type = result if isinstance(result, tuple) else (result, accept)
    data = body.encode() if isinstance(body, str) else body
    return Response(200, data, content_type, context.response_headers)
