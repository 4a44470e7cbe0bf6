"""Many clients at once, for checks of what must hold at full load. Used by files of checks/."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Semaphore
from typing import TypeVar

from local_test.conformance.assertion import Broken
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.server import Server
from local_test.conformance.wire import Answer, NoAnswer, Wire, request_head

T = TypeVar("T")

CLIENTS = 16
LIMIT_S = 10.0  # of each step of a client: it gives up and connects anew
LIMIT_BYTES = 32 * 2**20  # of an answer: more than the platform passes on
START_LIMIT_S = 30.0


def burst(server: Server, count: int) -> list[float]:
    """Seconds that count connections took that were asked for at once. Raises NoAnswer."""
    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(lambda _: connect_s(server), range(count)))


def connect_s(server: Server) -> float:
    """Seconds until a connection was accepted. Raises NoAnswer."""
    with server.connect(LIMIT_S) as wire:
        return wire.connect_s


def under_load(bench: Bench, server: Server, act: Callable[[], T], count: int) -> list[T]:
    """What act gave, count times, while CLIENTS clients send the sample request as fast as they can.

    What act raises ends the load and goes on. Raises Broken when the clients are not answered at all.
    """
    stop, answered = Event(), Semaphore(0)
    with ThreadPoolExecutor(CLIENTS) as clients:
        for _ in range(CLIENTS):
            clients.submit(client, server, bench.sample, stop, answered)
        try:
            if not all(answered.acquire(timeout=START_LIMIT_S) for _ in range(CLIENTS)):
                raise Broken(f"{CLIENTS} clients at once were not all answered within {START_LIMIT_S:g} s")
            return [act() for _ in range(count)]
        finally:
            stop.set()


def loaded_ping(server: Server) -> Answer:
    """A ping of a server that has much to do. Raises Broken without an answer in time."""
    try:
        return server.ping()
    except NoAnswer as error:
        raise Broken(f"/ping at full load: {error}") from error


def client(server: Server, sample: Sample, stop: Event, answered: Semaphore) -> None:
    """Send the sample until stop is set, on a kept connection where it may be. How it is answered is not looked at."""
    head = {"Content-Type": sample.content_type, "Content-Length": str(len(sample.body))}
    request = request_head("POST", "/invocations", head) + sample.body
    while not stop.is_set():
        with suppress(NoAnswer), server.connect(LIMIT_S) as wire:
            while _kept(wire, request):
                answered.release()
                if stop.is_set():
                    return
            answered.release()


def _kept(wire: Wire, request: bytes) -> bool:
    """Send one request, read the answer; whether the connection stays."""
    wire.send(request)
    answer = wire.answer(timeout_s=LIMIT_S, limit_bytes=LIMIT_BYTES)
    return answer.complete and answer.headers.get("connection", "").lower() != "close"
