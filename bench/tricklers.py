"""Many clients that are slow on purpose: python -m bench.tricklers PORT [--connections 1000]

A third sends its request's head byte by byte, a third its body, a third reads its answer so; who is through or was
closed begins again. Prints a line when all are at it, and runs until it is ended. Called by slow_clients.
"""

from __future__ import annotations

import argparse
import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

ROW = b"5.1,3.5,1.4,0.2\n"
ROWS_TO_SIP = 20_000  # an answer of 40 KB: more than the kernel takes at once for so small a window
WINDOW_BYTES = 4096
SIP_BYTES = 16
CONNECT_TIMEOUT_S = 30.0

Steps = Iterator[None]


def head(length: int) -> bytes:
    fields = f"Host: model\r\nContent-Type: text/csv\r\nAccept: text/csv\r\nContent-Length: {length}"
    return f"POST /invocations HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def trickle_head(link: socket.socket) -> Steps:
    """Never comes to its body: nginx gives a head 60 s."""
    yield from trickle(link, head(len(ROW)))


def trickle_body(link: socket.socket) -> Steps:
    link.sendall(head(len(ROW) * 8))
    yield from trickle(link, ROW * 8)


def sip_answer(link: socket.socket) -> Steps:
    body = ROW * ROWS_TO_SIP
    link.sendall(head(len(body)) + body)
    yield
    while link.recv(SIP_BYTES):  # waits for the first of them only
        yield


def trickle(link: socket.socket, data: bytes) -> Steps:
    for start in range(len(data)):
        link.sendall(data[start : start + 1])
        yield


def slow_client(port: int, way: Callable[[socket.socket], Steps]) -> Steps:
    """One client, which begins again for ever."""
    while True:
        with socket.socket() as link, suppress(OSError):
            link.settimeout(CONNECT_TIMEOUT_S)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.connect(("127.0.0.1", port))
            yield from way(link)
        yield


def run(port: int, connections: int, pause_s: float) -> None:
    """Give each client one step every pause_s. No event loop: this must cost little beside what it measures."""
    ways = itertools.cycle((trickle_head, trickle_body, sip_answer))
    clients = [slow_client(port, next(ways)) for _ in range(connections)]
    for client in clients + clients:  # the second time round the answers have been made, and begun to be read
        next(client)
    print("all are at it", flush=True)
    due = time.monotonic()
    for client in itertools.cycle(clients):
        next(client)
        due += pause_s / connections
        if (ahead_s := due - time.monotonic()) > 0.005:
            time.sleep(ahead_s)


def main() -> int:
    """0 when it was ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.tricklers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two bytes (default: %(default)s)")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        run(options.port, options.connections, options.pause)
    return 0


if __name__ == "__main__":
    sys.exit(main())
