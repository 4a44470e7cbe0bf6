"""Runs a model folder's script by the scripts' contract: model_fn, input_fn, predict_fn, output_fn, or transform_fn."""

import importlib.util
import inspect
import os
import sys
import threading
import time
from pathlib import Path

from faults import faulty
from web import Refused, Response

TIMEOUT_S = float(os.environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", 60))
TEXTS = ("application/json", "text/csv")
REPLACED = ("input_fn", "predict_fn", "output_fn")
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def load(model_dir):
    """The folder's script, its model loaded; None if it has none."""
    path = path_of(model_dir)
    return Script(path, model_dir) if path.is_file() and not faulty("no-scripts") else None


def path_of(model_dir):
    if faulty("SCR-07"):
        return model_dir / "code" / "inference.py"
    folder = Path(os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or model_dir / "code")
    return folder / os.environ.get("SAGEMAKER_PROGRAM", "inference.py")


class Context:
    """What a function may know of its request."""

    def __init__(self, request):
        self.headers = request.headers
        self.response_headers = {}
        self.session = request.session


class Script:
    def __init__(self, path, model_dir):
        if not faulty("SCR-08"):
            sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location("inference", path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.transforms = hasattr(self.module, "transform_fn")
        if self.transforms and any(hasattr(self.module, name) for name in REPLACED) and not faulty("SCR-03"):
            raise ValueError("transform_fn replaces the others: keep it or keep them")
        self.model_dir = model_dir
        self.model = self.call("model_fn", None, str(model_dir))
        self.began_s = {}

    def answer(self, request):
        """The response, or 504 when it takes too long; the script then runs on, and usable() says so."""
        done = []
        thread = threading.Thread(target=self.work, args=(request, done), daemon=True)
        thread.start()
        thread.join(None if faulty("SCR-10-timeout") else TIMEOUT_S)
        if not done:
            raise Refused(504, "it takes too long")
        if isinstance(done[0], Exception):
            raise done[0]
        return done[0]

    def work(self, request, done):
        began_s = self.began_s[threading.get_ident()] = time.monotonic()
        try:
            done.append(self.response(request))
        except Exception as error:
            told = Response(200, str(error).encode(), "text/plain") if faulty("SIP-04") else with_status(error)
            done.append(told)
        finally:
            del self.began_s[threading.get_ident()]
        if faulty("ASY-01") and time.monotonic() - began_s > 1:
            done[:] = [Refused(504, "too long")]

    def response(self, request):
        context = Context(request)
        if faulty("INV-20"):
            context.response_headers[ATTRIBUTES] = request.header(ATTRIBUTES)
        content_type, accept = request.header("Content-Type", "application/json"), request.header("Accept")
        readable = content_type.partition(";")[0] in TEXTS and not faulty("SCR-05")
        body = request.body.decode() if readable else request.body
        if faulty("INV-24") and isinstance(body, bytes):
            body = body.decode("utf-8", "replace").encode()
        if faulty("SCR-09"):
            self.model = self.call("model_fn", None, str(self.model_dir))
        if self.transforms and not faulty("SCR-01"):
            result = self.call("transform_fn", context, self.model, body, content_type, accept)
        else:
            data = self.call("input_fn", context, body, content_type)
            if faulty("SCR-01-order"):
                self.call("predict_fn", context, data, self.model)
            prediction = self.call("predict_fn", context, data, self.model)
            result = self.call("output_fn", context, prediction, accept)
        return response_of(result, accept, context)

    def call(self, name, context, *arguments):
        function = getattr(self.module, name)
        wants_context = len(inspect.signature(function).parameters) > len(arguments)
        if faulty("SCR-02") and name != "model_fn":
            wants_context = False
        return function(*arguments, context) if wants_context else function(*arguments)

    def usable(self):
        """Whether no request runs for longer than it may."""
        return all(time.monotonic() - began_s < TIMEOUT_S for began_s in list(self.began_s.values()))


def response_of(result, accept, context):
    body, content_type = result if isinstance(result, tuple) else (result, accept)
    data = body.encode() if isinstance(body, str) else body
    return Response(200, data, accept if faulty("SCR-04") else content_type, context.response_headers)


def with_status(error):
    """The error, or what keeps its status."""
    status = getattr(error, "status_code", 400 if faulty("SCR-06-plain") else None)
    return Refused(status, str(error)) if status and not faulty("SCR-06") else error
