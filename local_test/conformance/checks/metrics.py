"""OBS: GET /metrics."""

from __future__ import annotations

import time
from contextlib import suppress
from statistics import median

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from local_test.conformance.assertion import Broken, Group, expect
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.load import under_load
from local_test.conformance.sample import baseline, send
from local_test.conformance.server import Server
from local_test.conformance.wire import Answer, NoAnswer, request_head

GROUP = Group()

SCRAPE_LIMIT_S = 2.0
SCRAPES = 6  # the platform's, in a minute
REQUESTS = 20
NOISE_S = 0.1
PERIOD_S = 0.05


@GROUP.should(
    "OBS-01", "GET /metrics is 404 or text of Prometheus within 2 s at any time, and keeps no request waiting.",
    source="DG:obs", pains=(48, 49),
    otherwise="New endpoints are scraped by default: metrics are lost, or each scrape costs requests their time.",
    fix="Answer 404 at the front, or keep the numbers where a scrape finds them without asking the workers.",
)  # fmt: skip
def metrics_are_cheap(bench: Bench) -> str:
    usual = scrape(bench.server(), "idle")
    before_ready(bench)
    baseline(bench)
    loaded = under_load(bench, bench.server(), lambda: scrape(bench.server(), "at full load"), REQUESTS)
    for answer in loaded:
        bench.time("scrape at full load", answer.seconds)
    slowest_s = max(answer.seconds for answer in loaded)
    return f"{usual.status}, slowest at full load {slowest_s * 1000:.0f} ms, {latency(bench)}"


def scrape(server: Server, when: str) -> Answer:
    """One scrape. Raises Broken unless it is a 404 or metrics, in time."""
    try:
        answer = server.request("GET", "/metrics", timeout_s=SCRAPE_LIMIT_S)
    except NoAnswer as error:
        raise Broken(f"{when}: {error}") from error
    expect(answer.status in (200, 404), f"{when} it answered {answer}")
    if answer.status == 200:
        expect(count(answer, when), f"{when} it answered 200 without a metric")
    return answer


def count(answer: Answer, when: str) -> int:
    """How many metrics there are. Raises Broken where they cannot be read."""
    read = openmetrics_parser if "openmetrics" in answer.media_type else parser
    try:
        return len(list(read.text_string_to_metric_families(answer.body.decode())))
    except Exception as error:
        # A parser of text that programs write: what it raises at other text is not said anywhere.
        raise Broken(f"{when} it answered what is no text of Prometheus ({error}): {answer}") from error


def before_ready(bench: Bench) -> None:
    """Scrapes from the first connection on until it is ready."""
    ends_s = time.monotonic() + bench.options.start_limit_s
    with bench.run(ready=False) as server:
        while not server.is_ready() and server.ended() is None and time.monotonic() < ends_s:
            if _listens(server):
                scrape(server, "before it was ready")
            time.sleep(PERIOD_S)


def _listens(server: Server) -> bool:
    with suppress(NoAnswer), server.connect(SCRAPE_LIMIT_S):
        return True
    return False


def latency(bench: Bench) -> str:
    """The sample's latency beside scrapes, and without. Raises Broken where they move it."""
    server, sample = bench.server(), bench.sample
    alone = [send(server, sample).seconds for _ in range(REQUESTS)]
    beside = [_beside_a_scrape(server, sample) for _ in range(SCRAPES)]
    told = f"requests take {median(alone) * 1000:.0f} ms alone and {median(beside) * 1000:.0f} ms beside a scrape"
    expect(median(beside) <= 2 * max(alone) + NOISE_S, told)
    return told


def _beside_a_scrape(server: Server, sample: Sample) -> float:
    """Seconds of a request that is sent right after a scrape."""
    with server.connect(SCRAPE_LIMIT_S) as wire:
        wire.send(request_head("GET", "/metrics", {"Connection": "close"}))
        seconds = send(server, sample).seconds
        wire.answer("GET", SCRAPE_LIMIT_S)
    return seconds
