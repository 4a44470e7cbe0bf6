"""PNG: what the platform asks of GET /ping."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from local_test.conformance.assertion import Broken, Group, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.load import CLIENTS, burst, connect_s, under_load
from local_test.conformance.server import PING_LIMIT_S, wait_for
from local_test.conformance.wire import NoAnswer, request_head

GROUP = Group()

ACCEPT_LIMIT_S = 0.25
HANG_LIMIT_S = 30.0
PINGS = 100
STEADY_S = 120.0
PERIOD_S = 5.0
REPLACED = "After some failed pings the instance is taken out of service and replaced, however well it serves."
NEVER_IN_SERVICE = "The endpoint stays Creating for up to half an hour, then fails: did not pass the ping health check."
OUTSIDE_WORKERS = "Answer /ping outside of what predicts: a file that nginx serves, or a thread of its own."


@GROUP.must(
    "PNG-01", "200 when the container can serve.",
    source="DG:host", otherwise=NEVER_IN_SERVICE, pains=(1, 2),
    fix="Add the route GET /ping; let it answer 200 once the model is loaded.",
)  # fmt: skip
def ready_is_200(bench: Bench) -> str:
    try:
        answer = bench.server().ping()
    except Untestable as reason:
        raise Broken(str(reason)) from reason
    expect(answer.status == 200, f"it answered {answer}")
    return f"{answer.seconds * 1000:.1f} ms"


@GROUP.must(
    "PNG-02", "Every answer comes within 2 s, at full load too.",
    source="DG:host", otherwise=REPLACED, fix=OUTSIDE_WORKERS, pains=(16,),
)  # fmt: skip
def every_answer_within_2_s(bench: Bench) -> str:
    server = bench.server()
    pings = under_load(bench, server, server.ping, PINGS)
    for ping in pings:
        bench.time("ping at full load", ping.seconds)
    slowest_s = max(ping.seconds for ping in pings)
    wrong = [ping for ping in pings if ping.status != 200]
    expect(not wrong, f"{len(wrong)} of {PINGS} pings were not 200 at full load, such as {wrong[:1]}")
    return f"slowest of {PINGS}: {slowest_s * 1000:.0f} ms"


@GROUP.should(
    "PNG-03", "The body is empty.",
    source="DG:host, DG:batch", otherwise="Batch transform's page asks for an empty body; nothing is known to fail.",
    fix="Answer /ping with no body.",
)  # fmt: skip
def body_is_empty(bench: Bench) -> None:
    answer = bench.server().ping()
    expect(not answer.body, f"{len(answer.body)} bytes: {answer}")


@GROUP.must(
    "PNG-04", "A connection is accepted within 250 ms, idle or loaded.",
    source="DG:host", otherwise=REPLACED, pains=(16,),
    fix="Accept connections outside of what predicts, with a backlog longer than the expected burst.",
)  # fmt: skip
def accepted_within_250_ms(bench: Bench) -> str:
    server = bench.server()
    idle_s = slowest_connect_s(bench, burst(server, CLIENTS))
    loaded_s = slowest_connect_s(bench, under_load(bench, server, lambda: connect_s(server), PINGS // 2))
    return f"slowest of {CLIENTS} at once: {idle_s * 1000:.1f} ms, at full load: {loaded_s * 1000:.1f} ms"


def slowest_connect_s(bench: Bench, connects_s: list[float]) -> float:
    """The slowest, all kept for the report. Raises Broken past the limit."""
    for seconds in connects_s:
        bench.time("connect", seconds)
    slowest_s = max(connects_s)
    expect(slowest_s <= ACCEPT_LIMIT_S, f"a connection was accepted after {slowest_s * 1000:.0f} ms")
    return slowest_s


@GROUP.must(
    "PNG-05", "Not 200 before the model is loaded: the first 200 is followed by a request that works.",
    source="inf DG:host", pains=(2, 17),
    otherwise="Requests are sent to a container that cannot answer them yet, at each scale-out.",
    fix="Load the model before /ping answers 200; answer 503 until then.",
)  # fmt: skip
def first_200_is_true(bench: Bench) -> str:
    sample = bench.sample
    with bench.run(ready=False) as server:
        ready_s = server.wait_ready(bench.options.start_limit_s)
        answer = server.invoke(sample.body, sample.content_type)
    expect(answer.status == 200, f"the first request after the first 200 was answered {answer}")
    return f"ready after {ready_s:.2f} s, then answered in {answer.seconds:.2f} s"


@GROUP.should(
    "PNG-06", "Once 200, it stays 200: asked every 5 s for two minutes.",
    source="DG:host", otherwise=REPLACED, fix=OUTSIDE_WORKERS, pains=(16,), slow=True, waits=True,
)  # fmt: skip
def stays_200(bench: Bench) -> None:
    server = bench.server()
    began_s = time.monotonic()
    while (after_s := time.monotonic() - began_s) < bench.paced(STEADY_S):
        answer = server.ping()
        expect(answer.status == 200, f"it answered {answer} {after_s:.0f} s after a 200")
        time.sleep(bench.paced(PERIOD_S))


@GROUP.should(
    "PNG-07", "It needs no header: any Host and agent will do.",
    source="FR", otherwise=NEVER_IN_SERVICE, pains=(1,),
    fix="Do not check Host (ALLOWED_HOSTS, server_name, TrustedHostMiddleware).",
)  # fmt: skip
def any_host_will_do(bench: Bench) -> None:
    odd = {"Host": "model.aws.local:8080", "User-Agent": "AHC/2.0"}
    for headers in ({}, odd):
        answer = bench.server().request("GET", "/ping", headers=headers, timeout_s=PING_LIMIT_S)
        expect(answer.status == 200, f"with the headers {headers} it answered {answer}")


@GROUP.should(
    "PNG-08", "One connection serves many pings, and a connection for each works too.",
    source="inf DG:host", otherwise="Each ping needs a new connection, or a kept one fails now and then.",
    fix="Speak HTTP/1.1 with keep-alive at the front.",
)  # fmt: skip
def connections_may_be_kept(bench: Bench) -> None:
    server = bench.server()
    for _ in range(5):
        expect(server.ping().status == 200, "a ping on a connection of its own failed")
    with server.connect(10) as wire:
        for number in range(1, 6):
            wire.send(request_head("GET", "/ping", {}))
            try:
                status = wire.answer("GET", PING_LIMIT_S).status
            except NoAnswer as error:
                status = 0
                expect(False, f"ping {number} on a kept connection: {error}")
            expect(status == 200, f"ping {number} on a kept connection was answered {status}")


@GROUP.should(
    "PNG-09", "No longer 200 when the model has become unusable, so that the platform replaces the instance.",
    source="inf DG:host", pains=(17, 37),
    otherwise="The instance stays in service and fails each request that it gets.",
    fix="Let /ping tell of the workers: 503 when none is alive and serving.", slow=True, waits=True,
)  # fmt: skip
def unusable_is_not_200(bench: Bench) -> str:
    env = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3"}
    hang = json.dumps({"do": "sleep", "seconds": 4 * HANG_LIMIT_S}).encode()
    limit_s = max(6.0, bench.paced(HANG_LIMIT_S))
    with bench.run(replace(bench.probe_setup(), env=env)) as server, server.connect() as wire:
        head = {"Content-Type": "application/json", "Content-Length": str(len(hang))}
        wire.send(request_head("POST", "/invocations", head) + hang)
        late = f"/ping was still 200 while the only worker hung for {limit_s:g} s"
        began_s = time.monotonic()
        wait_for(lambda: not server.is_ready(), limit_s, late)
        return f"not 200 after {time.monotonic() - began_s:.1f} s"
