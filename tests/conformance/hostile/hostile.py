"""A server that does what MODE says at /ping, or at /invocations only where WHERE is that, and serves else."""

import os
import pathlib
import signal
import socketserver
import sys
import threading
import time

MODE = os.environ.get("MODE", "")
WHERE = os.environ.get("WHERE", "/ping")
JUNK = bytes(range(256)) * 256
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"


def hang(send):
    time.sleep(3600)


def garbage(send):
    send(JUNK + b"\r\n\r\n")


def headers(send):
    send(OK)
    while True:
        send(b"X-Filler: " + b"x" * 4096 + b"\r\n")


def informational(send):
    while True:
        send(b"HTTP/1.1 100 Continue\r\n\r\n")


def body(send):
    send(OK + b"\r\n")
    while True:
        send(JUNK)


def chunks(send):
    send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        send(b"1\r\nx\r\n" * 8192)


def trickle(send):
    send(OK + b"Content-Length: 1000000\r\n\r\n")
    while True:
        send(b"x")
        time.sleep(0.2)


def escapes(send):
    send(b"HTTP/1.1 500 Oops\r\nContent-Length: 34\r\n\r\n\x1b]0;owned\x07<script>alert(1)</script>\n\n")


def flood():
    line = b"x" * 99 + b"\n"
    while True:
        os.write(1, line * 10_000)
        time.sleep(0.01)


def fork():
    """Children that sleep, as many as there may be."""
    while True:
        try:
            if os.fork() == 0:
                while True:
                    time.sleep(3600)
        except OSError:
            time.sleep(0.01)


def remove_tools():
    """All programs but this one's interpreter, where the image shall have none."""
    for path in pathlib.Path("/usr/bin").iterdir() if os.environ.get("NO_TOOLS") else ():
        if not path.name.startswith("python") and not path.is_dir():
            path.unlink()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                data = self.request.recv(65536)
                if not data:
                    return
                head += data
            path = head.split(b" ", 2)[1].decode()
            if path == WHERE and MODE in ANSWERS:
                ANSWERS[MODE](self.request.sendall)
                return
            self.request.sendall(OK + b"Content-Length: 0\r\n\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


ANSWERS = {each.__name__: each for each in (hang, garbage, headers, informational, body, chunks, trickle, escapes)}
BESIDE = {each.__name__: each for each in (flood, fork)}

if __name__ == "__main__":
    if sys.argv[1:] == ["remove-tools"]:
        sys.exit(remove_tools())
    if MODE == "exit":
        sys.exit(3)
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if MODE in BESIDE and os.fork() == 0:
        BESIDE[MODE]()
    server = Server(("0.0.0.0", 8080), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        time.sleep(1)
