"""ASY: requests of an asynchronous endpoint, which are longer and larger than others."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace

from local_test.conformance.assertion import Claim, Group, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.load import CLIENTS, loaded_ping
from local_test.conformance.sample import MEGABYTE, pieces
from local_test.conformance.server import Server, Setup
from local_test.conformance.wire import request_head

GROUP = Group(claim=Claim.ASYNCHRONOUS)

HOUR_S, GIGABYTE = "3600", str(10**9)
RAISED: Mapping[str, str] = {
    **dict.fromkeys(("SAGEMAKER_MODEL_SERVER_TIMEOUT", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS"), HOUR_S),
    **dict.fromkeys(("TS_DEFAULT_RESPONSE_TIMEOUT", "MMS_DEFAULT_RESPONSE_TIMEOUT"), HOUR_S),
    "SAGEMAKER_TS_RESPONSE_TIMEOUT": HOUR_S,
    **dict.fromkeys(("TS_MAX_REQUEST_SIZE", "TS_MAX_RESPONSE_SIZE"), GIGABYTE),
    **dict.fromkeys(("MMS_MAX_REQUEST_SIZE", "MMS_MAX_RESPONSE_SIZE", "MAX_CONTENT_LENGTH"), GIGABYTE),
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1000",
}
"""Limits as the variables of the managed containers raise them; another container's own: --env."""
LONG_S, PATIENCE_S = 90.0, 30.0
LARGE_BYTES = 200 * MEGABYTE
HELD_BACK_BYTES = 4 * MEGABYTE
GROWTH_LIMIT_BYTES = LARGE_BYTES // 2
WORK_S = 5.0


@GROUP.should(
    "ASY-01", "A request that runs longer than 60 s is not cut once the limit is raised.",
    source="DG:async", otherwise="Invocations that the endpoint gives up to an hour fail after a minute.", slow=True,
    waits=True,
    fix="Let one variable raise every clock: the model server's, the worker's, the proxy's.", pains=(4, 62),
)  # fmt: skip
def long_requests_end_well(bench: Bench) -> str:
    seconds = bench.paced(LONG_S)
    with bench.run(raised(bench)) as server:
        answer = server.invoke({"do": "sleep", "seconds": seconds}, timeout_s=seconds + PATIENCE_S)
    expect(answer.status == 200, f"a request of {seconds:g} s was answered {answer} after {answer.seconds:.1f} s")
    return f"{answer.seconds:.1f} s"


@GROUP.should(
    "ASY-02", "A body of 200 MB is taken once the limit is raised, and is not in memory while it arrives.",
    source="inf DG:async", otherwise="Large objects are refused, or some at once end the container.", slow=True,
    fix="Raise the body's limit by a variable; spool bodies to disk until they are whole.", pains=(12, 62),
)  # fmt: skip
def large_bodies_are_taken(bench: Bench) -> str:
    with bench.run(raised(bench)) as server, server.connect(4 * PATIENCE_S) as wire:
        before = memory_bytes(server)
        head = {"Content-Type": "application/x-counted", "Content-Length": str(LARGE_BYTES)}
        wire.send(request_head("POST", "/invocations", head))
        wire.send(pieces(LARGE_BYTES - HELD_BACK_BYTES))
        more = memory_bytes(server) - before
        wire.send(b"x" * HELD_BACK_BYTES)
        answer = wire.answer()
    if answer.status == 415:
        raise Untestable(f"it refuses application/x-counted: {answer}")
    expect(answer.body == b"%d" % LARGE_BYTES, f"a body of {LARGE_BYTES // MEGABYTE} MB was answered {answer}")
    expect(more <= GROWTH_LIMIT_BYTES, f"while it came, memory grew by {more // MEGABYTE} MB")
    return f"{answer.seconds:.1f} s, {more / MEGABYTE:.0f} MB more memory while it came"


@GROUP.should(
    "ASY-03", "/ping is 200 within 2 s while every worker is busy with long requests.",
    source="DG:host", otherwise="The instance is replaced in the middle of its work, which begins again elsewhere.",
    fix="Answer /ping outside of what predicts.", pains=(16, 62), waits=True,
)  # fmt: skip
def pings_during_long_requests(bench: Bench) -> str:
    order = json.dumps({"do": "sleep", "seconds": LONG_S}).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(order))}
    with bench.run(raised(bench)) as server, ExitStack() as wires:
        for _ in range(CLIENTS):
            wires.enter_context(server.connect()).send(request_head("POST", "/invocations", head) + order)
        pings, ends_s = [], time.monotonic() + max(1.0, bench.paced(WORK_S))
        while time.monotonic() < ends_s:
            pings.append(loaded_ping(server))
            time.sleep(0.05)
    wrong = [str(each) for each in pings if each.status != 200]
    expect(not wrong, f"{len(wrong)} of {len(pings)} pings were not 200 during {CLIENTS} long requests: {wrong[:1]}")
    return f"slowest of {len(pings)}: {max(each.seconds for each in pings) * 1000:.0f} ms"


def raised(bench: Bench) -> Setup:
    """The probe's server with raised limits."""
    return replace(bench.probe_setup(), env=RAISED)


def memory_bytes(server: Server) -> int:
    """What it has in memory; 0 where that cannot be measured."""
    with suppress(Untestable):
        return server.memory_bytes()
    return 0
