"""A contestant of the tests: answers every request with one constant. constant.py PORT ANSWER"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, ANSWER = int(sys.argv[1]), sys.argv[2].encode() + b"\n"


class Constant(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for each other, RFC 896

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


ThreadingHTTPServer(("127.0.0.1", PORT), Constant).serve_forever()
