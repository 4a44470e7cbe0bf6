"""Overload for a moment; what the flood counts and how it keeps its pace."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import overload
from bench.flood import Flood, summary
from tests.bench.conftest import python

Answer = Callable[[BaseHTTPRequestHandler], None]
ASK = b"GET / HTTP/1.1\r\nHost: model\r\n\r\n"


@contextmanager
def served(answer: Answer) -> Iterator[tuple[str, int]]:
    """The address of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        do_GET = answer

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
        yield ("127.0.0.1", server.server_port)
        server.shutdown()


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


def flooded(answer: Answer, rate: float = 200, connections: int = 4) -> dict[str, int]:
    with served(answer) as address:
        flood = Flood(address, ASK, connections)
        flood.run(rate, 0.5)
    return {kind: len(times) for kind, times in flood.seen_s.items()}


def test_a_flood_offers_its_rate() -> None:
    counts = flooded(status(200))
    assert counts.keys() == {"200"}
    assert counts["200"] == pytest.approx(100, abs=25)  # late turns are left out on a busy machine


def test_without_a_rate_each_connection_asks_again_at_once() -> None:
    assert flooded(status(200), rate=0)["200"] > 100


def test_a_503_counts_as_chosen_only_with_retry_after() -> None:
    assert flooded(status(503, Retry_After="1")).keys() == {"503"}
    assert flooded(status(503)).keys() == {"503 without Retry-After"}


def test_a_connection_that_is_closed_without_an_answer_is_told() -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    assert flooded(hang_up).keys() == {"connection lost"}


def test_an_answer_in_pieces_is_one_answer() -> None:
    def in_pieces(handler: BaseHTTPRequestHandler) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 4\r\n\r\nab", b"cd"):
            handler.wfile.write(piece)
            handler.wfile.flush()

    assert flooded(in_pieces).keys() == {"200"}


def test_quantiles_are_of_values_that_were_there() -> None:
    assert summary([0.003, 0.001, 0.002]) == {"count": 3, "p50_ms": 2.0, "p99_ms": 3.0, "max_ms": 3.0}


def test_overload_is_measured_with_and_without_a_bound(models: Path) -> None:
    short = ("--slots", "csv", "--rounds", 1, "--ladder", 8, "--connections", 32, "--seconds", 2, "--quiet", 0)
    ran = python("bench.overload", *short, "--set", "SERVING_QUEUE_LIMIT=4", "--output", "json")
    assert ran.returncode == 0, ran.stderr
    default, bounded = (each["figures"] for each in json.loads(ran.stdout)["measurements"])
    assert bounded["max_wait_s"] > 0
    for figures in (default, bounded):
        assert figures["errors"] == 0
        assert figures["peak_per_s"] > 0
        assert {"200", "503"} == figures["over"]["statuses"].keys()
        assert set(overload.BARS) <= figures.keys()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--slots", "start"], "no slots are called ['start']; there are: csv, json, batch, rf, ner"),
        (["--ladder", "up"], "'up' is not a ladder; write it like 4,16,64"),
        (["--set", "A"], "'A' is not NAME=VALUE"),
    ],
)
def test_an_unknown_word_is_told_and_exit_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert overload.main(arguments) == 2
    assert capsys.readouterr().err == f"overload: {told}\n"
