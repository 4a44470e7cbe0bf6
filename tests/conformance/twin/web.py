"""The twin's HTTP server: a thread a connection, routes in a table. Other files add routes with @route."""

import http.server
import os
import re
import socketserver
import tempfile
import time
from dataclasses import dataclass, field

import streaming
import workers
from faults import faulty

ROUTES = []
READ_BYTES = 1 << 20
IN_MEMORY_BYTES = 1 << 20  # a longer body waits in a file until it is whole
SPOOL_DIR = "/var/tmp" if faulty("INV-05") else "/tmp"  # noqa: S108 - the container's


@dataclass
class Request:
    """One request, its body read."""

    method: str
    path: str
    query: str
    headers: object
    body: bytes = b""
    match: object = None
    session: object = None
    """What its session remembers, a dict; None without a session."""
    handler: object = None
    """The connection's BaseHTTPRequestHandler, for routes that answer by themselves."""

    def header(self, name, default=""):
        return self.headers.get(name, default)


@dataclass
class Response:
    """body: bytes, or an iterator of bytes, which is sent as chunks. None: the route has answered by itself."""

    status: int = 200
    body: object = b""
    content_type: str = ""
    headers: dict = field(default_factory=dict)


class Refused(Exception):
    """A request that is answered with a 4xx or 5xx and a short text."""

    def __init__(self, status, text="", **headers):
        super().__init__(text)
        self.response = Response(status, text.encode(), "text/plain", headers)


def route(method, pattern):
    """Decorates a function that takes a Request and gives a Response."""

    def add(function):
        ROUTES.append((method, re.compile(pattern + r"\Z"), function))
        return function

    return add


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True

    def setup(self):
        Server.connections += 1
        super().setup()

    def finish(self):
        Server.connections -= 1
        super().finish()

    def handle_one_request(self):
        if faulty("PNG-08") and getattr(self, "served", False):
            self.close_connection = True
            return
        self.served = True
        super().handle_one_request()

    def handle_expect_100(self):
        if faulty("INV-07"):
            self.send_error(417)
            return False
        return super().handle_expect_100()

    def answer(self):
        Server.answering.add(self)
        try:
            self.answer_one()
        finally:
            Server.answering.discard(self)

    def answer_one(self):
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, self.headers, handler=self)
        try:
            found = self.find(request)
            if faulty("INV-21") and len(str(self.headers)) > 4096:
                self.close_connection = True
                raise Refused(431)
            request.body = self.read_body()
            response = found(request)
        except Refused as refusal:
            response = refusal.response
        except ConnectionError:
            return self.left()
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            response = Response(500, b"Internal server error", "text/plain")
        if response is not None:
            self.write(response)

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = answer

    def find(self, request):
        matches = [(method, pattern.match(request.path), function) for method, pattern, function in ROUTES]
        known = [(method, match, function) for method, match, function in matches if match]
        for method, match, function in known:
            if method == request.method:
                request.match = match
                return function
        self.close_connection = True  # its body was not read
        raise Refused(405 if known else 404)

    def read_body(self):
        began_s = time.monotonic()
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            if faulty("INV-06"):
                self.close_connection = True
                raise Refused(411)
            return b"".join(iter(self.read_chunk, b""))
        size = int(self.headers.get("Content-Length", 0))
        if faulty("INV-03") and size > 20 * 10**6:
            self.close_connection = True
            raise Refused(413)
        in_memory = size <= IN_MEMORY_BYTES or faulty("ASY-02")
        body = self.rfile.read(size) if in_memory else self.read_long(size)
        if len(body) < size or (faulty("INV-27") and time.monotonic() - began_s > 0.5 and size < READ_BYTES):
            raise ConnectionAbortedError("the client left")
        return body

    def read_long(self, size):
        with tempfile.TemporaryFile(dir=SPOOL_DIR) as spool:
            while (rest := size - spool.tell()) and (data := self.rfile.read(min(READ_BYTES, rest))):
                spool.write(data)
            spool.seek(0)
            return spool.read()

    def left(self):
        """The client has gone: its request ends here."""
        if faulty("INV-26"):
            os._exit(1)
        self.close_connection = True

    def read_chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def write(self, response):
        whole = isinstance(response.body, bytes) and not faulty("STR-05")
        self.send_response(response.status)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        for name, value in response.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if whole:
            self.send_header("Content-Length", len(response.body))
            self.end_headers()
            self.wfile.write(response.body)
        else:
            streaming.write(self, response.body)

    def log_message(self, text, *values):
        print(text % values, flush=True)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_port = workers.COUNT > 1
    request_queue_size = 0 if faulty("PNG-04") else 512
    connections = 0
    answering = set()  # noqa: RUF012
    """Handlers with a request that is not answered yet."""
    started_s = time.monotonic()

    def get_request(self):
        if faulty("PNG-04"):
            time.sleep(0.05)
        return super().get_request()

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's looks its own name up
        self.server_name, self.server_port = "twin", self.server_address[1]
