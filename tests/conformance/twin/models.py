"""Many models: /models and its routes. With SAGEMAKER_MULTI_MODEL=true the twin begins with none."""

import contextlib
import json
import os
import re
import resource
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote

import invocations
import scripts
from faults import faulty
from web import Refused, Response, route

MANY = os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"
LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
RESERVE_BYTES = 32 * 2**20  # for requests, and for what the kernel counts beside data
PAGE = 100
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")
SAFE_URL = re.compile(r"(?!.*\.\.)/opt/ml/models/.+\Z")
MODELS = {}
LOADING = set()
LOCK = threading.Lock()
GATE = threading.Lock()
KEPT = []
EVER = set()


class Model:
    def __init__(self, name, url):
        self.name, self.url = name, url
        self.script = scripts.load(Path(url))
        self.usable_s = time.monotonic() + (0.3 if faulty("MME-02") else 0)

    def entry(self):
        return {"modelName": self.name, "modelUrl": self.url}

    def answer(self, request):
        return self.script.answer(request) if self.script else invocations.sums(request)


def many(method, pattern):
    """A route of this mode only. The function gets the request, and the model's name if the pattern has one."""

    def add(function):
        def call(request):
            return function(request, *map(unquote, request.match.groups()))

        return route(method, pattern)(call) if MANY else function

    return add


@many("POST", "/models")
def load(request):
    name, url = order_of(request)
    with taken(name), GATE if faulty("MME-15") else contextlib.nullcontext():
        MODELS[name] = made(name, url)
    return Response(200)


def order_of(request):
    try:
        order = json.loads(request.body)
        name, url = order["model_name"], order["url"]
        safe = (SAFE_NAME.match(name) and SAFE_URL.match(url)) or faulty("MME-20")
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(500 if faulty("MME-18") else 400, f"not a model_name and a url: {error}") from error
    if not safe or (faulty("MME-05") and len(name) > 32):
        raise Refused(400, "the model_name or the url is not a safe one")
    return name, url


@contextlib.contextmanager
def taken(name):
    """Nobody else loads it meanwhile."""
    with LOCK:
        if (name in MODELS and not faulty("MME-03")) or (name in LOADING and not faulty("MME-16")):
            raise Refused(409, f"{name} is loaded already")
        LOADING.add(name)
        EVER.add(name)
    try:
        yield
    finally:
        LOADING.discard(name)


def made(name, url):
    try:
        if faulty("MME-06"):
            Path(url, "loaded").touch()
        return Model(name, url)
    except MemoryError as error:
        raise Refused(500 if faulty("MME-04") else 507, "no memory") from error
    except Exception as error:
        if faulty("MME-17"):
            MODELS[name] = None
        raise Refused(500, f"{name} cannot be loaded: {error}") from error


@many("GET", "/models")
def list_models(request):
    start = start_of(parse_qs(request.query).get("next_page_token", ["0"])[0])
    names = sorted(MODELS)
    entries = [MODELS[name].entry() if MODELS[name] else {"modelName": name} for name in names[start : start + PAGE]]
    if faulty("MME-07"):
        entries = [{"modelName": entry["modelName"]} for entry in entries]
    more = {"nextPageToken": str(start + PAGE + faulty("MME-08"))} if len(names) > start + PAGE else {}
    return as_json({"models": entries, **more})


def start_of(token):
    if not re.fullmatch("[0-9]{1,9}", token):
        raise Refused(500 if faulty("MME-09") else 400, "no such page")
    return int(token)


@many("GET", "/models/([^/]+)")
def get(request, name):
    entry = found(name).entry()
    return as_json({"name": name} if faulty("MME-10") else entry)


@many("DELETE", "/models/([^/]+)")
def unload(request, name):
    if faulty("MME-12") and name not in MODELS:
        return Response(200)
    model = found(name)
    if faulty("MME-13"):
        KEPT.append(model)
    MODELS.pop(name, None)
    return Response(200)


@many("POST", "/models/([^/]+)/invoke")
def invoke(request, name):
    if faulty("MME-11") and name not in EVER:
        raise Refused(500, "unknown")
    if faulty("MME-14") and request.header("X-Amzn-SageMaker-Target-Model"):
        raise Refused(400, "unknown header")
    with GATE if faulty("MME-15") else contextlib.nullcontext():
        model = found(name)
    if model.usable_s > time.monotonic():
        raise Refused(503, "still loading")
    try:
        return model.answer(request)
    except MemoryError as error:
        raise Refused(500 if faulty("MME-19") else 507, "no memory") from error


def found(name):
    model = MODELS.get(name)
    if model is None:
        raise Refused(404, f"{name} is not loaded")
    return model


def as_json(value):
    return Response(200, json.dumps(value).encode(), "application/json")


def hold_back_memory():
    """Let Python raise MemoryError before the kernel kills the container for want of memory."""
    texts = [Path(file).read_text().strip() for file in LIMIT_FILES if Path(file).is_file()]
    limits = [int(text) for text in texts if text.isdecimal() and int(text) < 2**40]
    if limits:
        resource.setrlimit(resource.RLIMIT_DATA, (limits[0] - RESERVE_BYTES, limits[0] - RESERVE_BYTES))
        threading.stack_size(2**18)


if MANY:
    hold_back_memory()
