"""POST /invocations: the sum of each row, or what code/inference.py makes of it."""

import json
import os
import threading
import time
import traceback

import batch
import life
import metrics
import scripts
import streaming
from faults import faulty
from web import Refused, Response, route

STATE = {"loaded": False, "script": None, "asked": 0}
FIRST = []
"""Functions that look at a request before it is answered. What they return is the answer, if it is not None."""
CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
DEFAULT = "" if faulty("INV-10") else os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "")
AT_ONCE = threading.Semaphore(4)


@route("POST", "/invocations")
def invoke(request):
    life.answering()
    if not STATE["loaded"]:
        raise Refused(503, "loading", Retry_After="1")
    for look in FIRST:
        if (response := look(request)) is not None:
            return response
    batch.interfere(request)
    break_whole(request)
    if STATE["script"]:
        return broken_script(STATE["script"].answer(request))
    return sums(request)


def load(model_dir):
    STATE["script"] = scripts.load(model_dir)


def usable():
    return STATE["script"] is None or STATE["script"].usable()


def sums(request):
    """Each row's sum, in the form that Accept asks for."""
    rows = rows_of(request)
    if streaming.wanted(request):
        return Response(200, streaming.lines(sum(row) for row in rows), LINES)
    results = batch.sums(request, rows) * (10**6 if faulty("SIP-03") else 1)
    return encoded(results, request.header("Accept"))


def rows_of(request):
    given = request.header("Content-Type", JSON)
    media_type = given if faulty("INV-12") or faulty("SIP-01") else given.partition(";")[0].strip().lower()
    if media_type not in READERS:
        more = request.body.decode() * 300 if faulty("INV-18") else ""
        raise Refused(500 if faulty("INV-13") else 415, f"{media_type} is not supported {more}")
    if not request.body.strip():
        raise Refused(500 if faulty("INV-16") else 400, "the body is empty")
    try:
        return READERS[media_type](request.body)
    except (ValueError, KeyError, TypeError) as error:
        told = traceback.format_exc(limit=1) if faulty("INV-19") else f"malformed: {str(error)[:100]}"
        raise Refused(500 if faulty("INV-15") else 400, told) from error


def numbers(line):
    return [float(field) for field in line.split(",")]


def encoded(results, accept):
    if (faulty("INV-11") and "," in accept) or (faulty("SIP-02") and not accept):
        raise Refused(406, f"{accept} cannot be made")
    wanted = [word.partition(";")[0].strip().lower() for word in (accept or "*/*").split(",")]
    for media_type in wanted:
        chosen = (DEFAULT or JSON) if media_type == "*/*" else JSON if media_type == "application/*" else media_type
        if chosen in WRITERS:
            return written(results, chosen, accept)
    raise Refused(500 if faulty("INV-14") else 406, f"{accept} cannot be made")


def written(results, media_type, accept):
    if faulty("INV-09") and accept == CSV:
        media_type = JSON
    writer = CSV if faulty("INV-08") and not accept else media_type
    return Response(200, WRITERS[writer](results), media_type)


def read_csv(body):
    return [batch.row(line, numbers) for line in batch.lines(body)]


def read_json(body):
    return [[float(value) for value in row] for row in json.loads(body)["instances"]]


def read_lines(body):
    return [batch.row(line, json.loads) for line in batch.lines(body)]


def write_csv(results):
    return "".join(f"{each}\n" for each in results).encode()


def write_lines(results):
    return "".join(f"{json.dumps(each)}\n" for each in results).encode()


READERS = {CSV: read_csv, JSON: read_json, LINES: read_lines}
WRITERS = {JSON: lambda results: json.dumps(results).encode(), CSV: write_csv, LINES: write_lines}


def break_whole(request):
    """Faults that are about a request as a whole."""
    STATE["asked"] += 1
    if faulty("INV-01") and not STATE["script"]:
        raise Refused(500, "broken")
    if faulty("INV-02") and STATE["asked"] == 1:
        time.sleep(1.5)
    if faulty("INV-17") and not request.header("Content-Type"):
        raise KeyError("Content-Type")
    if faulty("OBS-01-lock"):
        with metrics.LOCK:
            pass
    if faulty("INV-22") and request.header("X-Amzn-SageMaker-Target-Variant"):
        raise Refused(400, "no such variant")
    if faulty("INV-25"):
        if not AT_ONCE.acquire(blocking=False):
            raise Refused(503, "too many")
        time.sleep(0.02)
        AT_ONCE.release()


def broken_script(response):
    if faulty("INV-04") and len(response.body) > 6 * 10**6:
        response.body = response.body[: 6 * 10**6]
    return response


if faulty("INV-23"):

    @route("GET", "/invocations")
    def hello(request):
        return Response(200, b"hello", "text/plain")
