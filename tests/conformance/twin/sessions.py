"""Sessions: the header X-Amzn-SageMaker-Session-Id opens one, names one, and with a body that says so closes one."""

import json
import os
import time
import uuid

import invocations
from faults import faulty
from web import Refused, Response

HEADER = "X-Amzn-SageMaker-Session-Id"
NEW_HEADER = "X-Amzn-SageMaker-New-Session-Id"
CLOSED_HEADER = "X-Amzn-SageMaker-Closed-Session-Id"
ON = not faulty("sessions-off") or os.environ.get("SAGEMAKER_ENABLE_STATEFUL_SESSIONS") == "true"
EXPIRATION_S = 1200.0 if faulty("sessions-fixed") else float(os.environ.get("SAGEMAKER_SESSIONS_EXPIRATION", 1200))
SESSIONS = {}
"""By id: what it remembers, and when it expires."""


def look(request):
    name = request.header(HEADER)
    if not name or not ON:
        return None
    if name == "NEW_SESSION":
        return opened()
    if name not in SESSIONS and faulty("SES-04"):
        return None
    memory, expires_s = SESSIONS.get(name) or ({}, 0)
    expired = not faulty("SES-06") and time.time() >= expires_s
    if name not in SESSIONS or memory is None or expired:
        raise Refused(400, f"there is no session {name}; open one with NEW_SESSION")
    if b'"requestType": "CLOSE"' in request.body:
        return closed(name)
    request.session = {} if faulty("SES-03") else memory
    return None


def opened():
    name = uuid.uuid4().hex
    expires_s = time.time() + EXPIRATION_S
    SESSIONS[name] = ({}, expires_s)
    in_zone = time.localtime if faulty("sessions-local-time") else time.gmtime
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", in_zone(expires_s))
    value = f"{name}; Expires={expires.replace('T', ' ') if faulty('SES-01') else expires}"
    headers = {NEW_HEADER: value} if faulty("SES-02") else {HEADER: value, NEW_HEADER: value}
    return Response(200, json.dumps({"message": "opened"}).encode(), "application/json", headers)


def closed(name):
    if not faulty("SES-05"):
        SESSIONS[name] = (None, 0)  # what is known of it is that it is closed
    return Response(200, json.dumps({"message": "closed"}).encode(), "application/json", {CLOSED_HEADER: name})


invocations.FIRST.append(look)
