"""Batch transform: /execution-parameters, and placeholders for records that cannot be read."""

import json
import os
import sys
import threading
import time

from faults import faulty
from web import Refused, Response, route

BATCH = os.environ.get("SAGEMAKER_BATCH", "").lower() == "true"
AT_ONCE = 4
LIMIT_BYTES = 25 * 10**6
PLACEHOLDER = "error"
ONE = threading.Lock()
LAST = [b""]


@route("GET", "/execution-parameters")
def parameters(request):
    found = {
        "MaxConcurrentTransforms": AT_ONCE,
        "BatchStrategy": "MultiRecord" if faulty("BT-02") else "MULTI_RECORD",
        "MaxPayloadInMB": 60 if faulty("BT-03") else 6,
    }
    return Response(200, json.dumps(found).encode(), "application/json")


def interfere(request):
    """Refuse what a faulty twin does not take."""
    if faulty("BT-04"):
        take_one_at_a_time()
    if faulty("BT-08") and request.header("Transfer-Encoding"):
        raise Refused(411, "Content-Length is needed")
    if faulty("BT-09") and len(request.body) > LIMIT_BYTES:
        raise Refused(413, "too large")


def take_one_at_a_time():
    if not ONE.acquire(blocking=False):
        raise Refused(503, "too many requests")
    time.sleep(0.05)
    ONE.release()


def lines(body):
    """The lines of a body."""
    text = body.decode()
    return text.split("\n") if faulty("BT-06") else text.splitlines()


def sums(request, rows):
    """The sum of each row."""
    results = [total(row) for row in rows]
    if faulty("BT-05") and len(results) > 100:
        results.sort()
    if faulty("BT-10") and request.body == LAST[0]:
        results = [result + 1 for result in results]
    LAST[0] = request.body
    return results


def total(row):
    return row if row == PLACEHOLDER else sum(row)


def row(line, parse):
    """The numbers of a line; in a batch a placeholder if it has others."""
    try:
        numbers = parse(line)
        sum(numbers)
        return numbers
    except (ValueError, TypeError):
        if BATCH and not faulty("BT-07"):
            return PLACEHOLDER
        raise


if faulty("BT-01") and os.environ.get("SAGEMAKER_BATCH") == "True":
    sys.exit("SAGEMAKER_BATCH is neither true nor false")
