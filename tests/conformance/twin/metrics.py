"""GET /metrics: text of Prometheus."""

import threading
import time

from faults import faulty
from web import Response, Server, route

STATE = {"loaded": False}
LOCK = threading.Lock()
TEXT = """# HELP connections Connections that are open.
# TYPE connections gauge
connections {}
"""


@route("GET", "/metrics")
def metrics(request):
    if faulty("OBS-01-early") and not STATE["loaded"]:
        return Response(503)
    if faulty("OBS-01-load") and Server.connections > 8:
        time.sleep(2.5)
    if faulty("OBS-01-lock") and Server.connections < 8:
        with LOCK:
            time.sleep(0.3)
    body = "<html>hello</html>" if faulty("OBS-01") else TEXT.format(Server.connections)
    return Response(200, body.encode(), "text/plain; version=0.0.4")
