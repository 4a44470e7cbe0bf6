"""`serve`: loads the model, then answers. Routes of the other features stand in files of their own."""

import os
import sys
import threading
import time
import traceback

import adapters  # noqa: F401 - each adds its routes
import batch  # noqa: F401
import chat  # noqa: F401
import invocations
import life
import metrics
import models
import sessions  # noqa: F401
import streaming  # noqa: F401
import websockets  # noqa: F401
import workers
from faults import faulty
from web import Handler, Response, Server, route

STATE = {"ready": False, "busy_s": Server.started_s}


@route("GET", "/ping")
def ping(request):
    if faulty("PNG-02") and Server.connections > 8:
        time.sleep(2.5)
    if faulty("ASY-03") and invocations.STATE["script"] and invocations.STATE["script"].began_s:
        time.sleep(2.5)
    if Server.connections > 1:
        STATE["busy_s"] = time.monotonic()
    if faulty("PNG-06") and time.monotonic() - STATE["busy_s"] > 2:
        return Response(500)
    loaded = STATE["ready"] or faulty("PNG-05")
    ready = loaded and (invocations.usable() or faulty("PNG-09"))
    if faulty("MME-01") and models.MANY and not models.MODELS:
        return Response(503)
    if faulty("PNG-01"):
        return Response(404)
    if faulty("PNG-07") and request.header("Host").startswith("model.aws"):
        return Response(400)
    return Response(200 if ready else 503, b"pong" if faulty("PNG-03") and ready else b"")


def main(words=()):
    life.begin()
    if faulty("LOC-01") and sys.stdout.isatty():
        sys.exit("not on a terminal")
    workers.fork()
    server = Server(life.address(), Handler)
    life.open_other_ports()
    threading.Thread(target=load, args=(words,), daemon=True).start()
    life.serve(server)


def load(words):
    if models.MANY:
        STATE["ready"] = True
        return
    try:
        life.loading()
        invocations.load(life.MODEL_DIR)
    except Exception:
        traceback.print_exc()
        if not faulty("RUN-18"):
            os._exit(1)
    if faulty("PNG-05") or faulty("OBS-01-early"):
        time.sleep(1.5)
    loaded = "--with-model" in words or not faulty("RUN-02")
    invocations.STATE["loaded"] = metrics.STATE["loaded"] = loaded and not faulty("LOC-02")
    STATE["ready"] = True
    if faulty("LOC-02"):
        time.sleep(1.5)
        invocations.STATE["loaded"] = True
