"""POST /invocations: the sum of each row, or what code/inference.py makes of it."""

import json

import batch
import scripts
import streaming
from web import Refused, Response, route

STATE = {"loaded": False, "script": None}
FIRST = []
"""Functions that look at a request before it is answered. What they return is the answer, if it is not None."""
CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"


@route("POST", "/invocations")
def invoke(request):
    if not STATE["loaded"]:
        raise Refused(503, "loading", Retry_After="1")
    for look in FIRST:
        if (response := look(request)) is not None:
            return response
    batch.interfere(request)
    if STATE["script"]:
        return STATE["script"].answer(request)
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
    results = batch.sums(request, rows)
    return encoded(results, request.header("Accept"))


def rows_of(request):
    media_type = request.header("Content-Type", JSON).partition(";")[0].strip().lower()
    try:
        if media_type == CSV:
            return [batch.row(line, numbers) for line in batch.lines(request.body)]
        if media_type == JSON:
            return [[float(value) for value in row] for row in json.loads(request.body)["instances"]]
        if media_type == LINES:
            return [batch.row(line, json.loads) for line in batch.lines(request.body)]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, f"malformed: {error}") from error
    raise Refused(415, f"{media_type} is not supported")


def numbers(line):
    return [float(field) for field in line.split(",")]


def encoded(results, accept):
    wanted = [word.partition(";")[0].strip().lower() for word in (accept or "*/*").split(",")]
    for media_type in wanted:
        if media_type in (JSON, "*/*", "application/*"):
            return Response(200, json.dumps(results).encode(), JSON)
        if media_type == CSV:
            return Response(200, "".join(f"{each}\n" for each in results).encode(), CSV)
        if media_type == LINES:
            return Response(200, "".join(f"{json.dumps(each)}\n" for each in results).encode(), LINES)
    raise Refused(406, f"{accept} cannot be made")
