"""Offers a server requests at a rate, whatever becomes of them: python -m bench.flood URL [--rate 4000]

A connection that was answered waits for its turn, so that a refused client does not come back at once. Without a rate
each asks again as soon as it is answered. Prints statuses and how long each took, by the client's clock, as JSON.
Called by overload: wrk cannot tell the latency of one status from another's, and its delays cost it more than requests.
"""

from __future__ import annotations

import argparse
import gc
import json
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from bench.environments import PROJECT_DIR
from bench.servers import Failed

Told = dict[str, Any]
READ_BYTES = 256 * 1024
LATE_S = 0.1
"""A turn that is later than that is left out: the server is asked at a rate, not made to catch up."""

PATIENCE_S = 10.0


class Flood:
    """Kept connections to one address, which all send the same bytes."""

    def __init__(self, address: tuple[str, int], request: bytes, connections: int) -> None:
        self._address, self._request = address, request
        self._poll = select.epoll()
        self._links: dict[int, socket.socket] = {}
        self._free: deque[int] = deque()
        self._sent_s: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        self.seen_s: dict[str, list[float]] = {}
        for _ in range(connections):
            self._connect()

    def run(self, rate: float, seconds: float) -> None:
        """Offer for so long, then wait for what is under way. rate 0: as fast as answers come."""
        begun_s = due_s = perf_counter()
        end_s = begun_s + seconds
        while (now_s := perf_counter()) < end_s:
            due_s = self._send_due(max(due_s, now_s - LATE_S), now_s, 1 / rate if rate else 0.0)
            self._receive(max(0.0, due_s - now_s) if self._free else end_s - now_s)
        while self._sent_s and perf_counter() < end_s + PATIENCE_S:
            self._receive(0.1)
        for fd in self._sent_s:
            self._note(fd, "no answer")

    def _send_due(self, due_s: float, now_s: float, pause_s: float) -> float:
        """Send what is due; when the next is. One that finds no free connection is not offered."""
        while self._free and due_s <= now_s:
            fd = self._free.popleft()
            self._sent_s[fd] = perf_counter()
            try:
                self._links[fd].send(self._request)
            except OSError:
                self._lose(fd)
            due_s += pause_s
        return due_s

    def _receive(self, timeout_s: float) -> None:
        for fd, _ in self._poll.poll(timeout_s):
            try:
                data = self._links[fd].recv(READ_BYTES)
            except OSError:
                data = b""
            if data:
                self._take(fd, self._partial.pop(fd, b"") + data)
            else:
                self._lose(fd)

    def _take(self, fd: int, data: bytes) -> None:
        """A whole answer, or what there is of it so far."""
        head_end = data.find(b"\r\n\r\n")
        start = data.find(b"Content-Length: ", 0, head_end) + 16
        if head_end < 0 or len(data) < head_end + 4 + int(data[start : data.find(b"\r", start)]):
            self._partial[fd] = data
            return
        status = data[9:12].decode()
        self._note(fd, status if status != "503" or b"\r\nRetry-After: " in data else "503 without Retry-After")
        del self._sent_s[fd]
        self._free.append(fd)

    def _note(self, fd: int, what: str) -> None:
        self.seen_s.setdefault(what, []).append(perf_counter() - self._sent_s[fd])

    def _lose(self, fd: int) -> None:
        """A connection that was closed; that is a fault only while a request is under way."""
        if fd in self._sent_s:
            self._note(fd, "connection lost")
            del self._sent_s[fd]
        else:
            self._free.remove(fd)
        self._partial.pop(fd, None)
        self._links.pop(fd).close()
        self._connect()

    def _connect(self) -> None:
        link = socket.create_connection(self._address, timeout=PATIENCE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        self._links[link.fileno()] = link
        self._free.append(link.fileno())
        self._poll.register(link, select.EPOLLIN)


@contextmanager
def flood(url: str, connections: int, rate: float, seconds: float, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The program at work, gone after the block."""
    command = [sys.executable, "-m", "bench.flood", url, "--connections", str(connections)]
    command += ["--rate", str(rate), "--seconds", str(seconds), *more]
    with subprocess.Popen(command, cwd=PROJECT_DIR, text=True, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> Told:
    """Wait for its end: seconds, and for each status count, p50_ms, p99_ms, max_ms. Raises Failed."""
    out, _ = process.communicate()
    if process.returncode:
        raise Failed(f"flood ended with code {process.returncode}")
    found: Told = json.loads(out)
    return found


def summary(times_s: list[float]) -> Told:
    """Quantiles by nearest rank."""
    ordered = sorted(times_s)
    ranks = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    last = len(ordered) - 1
    return {
        "count": len(ordered),
        **{name: round(1000 * ordered[round(part * last)], 2) for name, part in ranks.items()},
    }


def request_of(options: argparse.Namespace, path: str) -> bytes:
    """GET without a payload, else POST."""
    if options.payload is None:
        return f"GET {path} HTTP/1.1\r\nHost: model\r\n\r\n".encode()
    body: bytes = options.payload.read_bytes()
    fields = f"Content-Type: {options.content_type}\r\nAccept: {options.accept}\r\nContent-Length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\nHost: model\r\n{fields}\r\n\r\n".encode() + body


def main() -> int:
    """0."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--payload", type=Path, help="a file to POST (default: GET)")
    parser.add_argument("--content-type", default="text/csv", help="of --payload (default: %(default)s)")
    parser.add_argument("--accept", default="*/*", help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=0, help="requests a second (default: as fast as answers come)")
    parser.add_argument("--seconds", type=float, default=10, help="default: %(default)s")
    options = parser.parse_args()
    url = urlsplit(options.url)
    run = Flood((url.hostname or "", url.port or 80), request_of(options, url.path), options.connections)
    gc.freeze()
    run.run(options.rate, options.seconds)
    seen = {status: summary(times_s) for status, times_s in sorted(run.seen_s.items())}
    print(json.dumps({"seconds": options.seconds, "statuses": seen}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
