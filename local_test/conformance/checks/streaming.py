"""STR: answers in parts.

An image that runs scripts is told what to stream: a generator that a handler returns. Any other one streams the answer
of the sample request, if that asks for it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from local_test.conformance.assertion import Claim, Group, expect, untestable
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.STREAMING)

PART_BYTES = 1024
PAUSE_S = 0.5
LEAST_PAUSE_S = 0.3  # less would drown in the scheduling of a busy machine
LONG_S, LONG_PAUSE_S = 90.0, 5.0  # longer than the 60 s that a whole answer may take
SERVER_LIMIT_S = "480"  # the platform's for a stream: DG:host
SLOW_SAMPLE_S = 1.0  # an answer that took as long has parts to tell apart
SPREAD_S = 0.03
NOT_STREAMED = (
    "needs a request whose answer is streamed: --payload FILE --content-type TYPE; a handler of code/inference.py that "
    "returns a generator is another way to be told"
)
HELD_BACK = "The client gets the whole answer at the end; it waits as long as without streaming."
FLUSH = "Send each part at once: no buffer in the server, proxy_buffering off (or X-Accel-Buffering: no), no gzip."


@GROUP.must(
    "STR-01", "A streamed answer is chunked and has no Content-Length.",
    source="DG:host", otherwise="The platform cannot pass parts on before it knows where they end.", pains=(57,),
    fix="Answer a stream with HTTP/1.1 and Transfer-Encoding: chunked, also through the proxy (HTTP/1.1 upstream).",
)  # fmt: skip
def is_chunked(bench: Bench) -> str:
    answer, by_sample = streamed(bench, count=3, pause_s=0.0)
    expect(answer.status == 200, f"it answered {answer}")
    length = answer.headers.get("content-length")
    if by_sample and length is not None:
        untestable(NOT_STREAMED)
    expect(length is None, f"it has Content-Length: {length}")
    expect(answer.chunked, "it is not chunked: its end is where the connection ends")
    expect(answer.complete, "the connection ended before the last chunk")
    return f"{len(answer.body)} bytes in {len(answer.pieces)} parts"


@GROUP.must(
    "STR-02", "The first part is sent before the last one is made.",
    source="DG:host", otherwise=HELD_BACK, fix=FLUSH, pains=(57,),
)  # fmt: skip
def first_part_is_early(bench: Bench) -> str:
    return spread(bench, count=3, size=PART_BYTES)


@GROUP.should(
    "STR-03", "A stream may last longer than 60 s.",
    source="DG:host", pains=(4, 57), slow=True, waits=True,
    otherwise="Long answers break off, although the platform would take them for 8 minutes: ModelStreamError.",
    fix="Let no time limit of the whole answer apply to a stream, in the server and its proxy; 8 minutes are allowed.",
)  # fmt: skip
def lasts_longer_than_60_s(bench: Bench) -> str:
    count = int(LONG_S / LONG_PAUSE_S) + 1
    setup = replace(bench.probe_setup(), env={"SAGEMAKER_MODEL_SERVER_TIMEOUT": SERVER_LIMIT_S})
    with bench.run(setup) as server:
        answer = ordered(server, count=count, pause_s=bench.paced(LONG_PAUSE_S), size=PART_BYTES, limit_s=2 * LONG_S)
    needs_chunks(answer)
    whole = count * PART_BYTES
    after = f"{len(answer.body)} of {whole} bytes, after {answer.seconds:.1f} s"
    expect(answer.complete and len(answer.body) == whole, f"it broke off: {after}")
    return after


@GROUP.should(
    "STR-04", "A fault in the middle breaks the connection, so that the client does not take a part for the whole.",
    source="RT StreamBroken", otherwise="A clean end: half an answer passes for all of it.", pains=(57,),
    fix="On an exception while streaming, close the connection without the last chunk.",
)  # fmt: skip
def fault_breaks_it(bench: Bench) -> str:
    answer = ordered(bench.probe(), count=4, pause_s=0.05, fail_at=2)
    needs_chunks(answer)
    expect(not answer.complete, f"after a fault at the third of four parts it ended cleanly: {answer}")
    return f"broken off after {len(answer.body)} bytes"


@GROUP.should(
    "STR-05", "The same route gives a whole answer when no stream is asked for.",
    source="inf DG:host", otherwise="InvokeEndpoint's clients get a body without a length, or events for an answer.",
    fix="Answer with Content-Length unless the request asks for a stream.",
)  # fmt: skip
def whole_when_not_asked(bench: Bench) -> None:
    answer = unstreamed(bench)
    expect(answer.status == 200 and answer.complete, f"it answered {answer}")
    expect(not answer.chunked and "content-length" in answer.headers, "a whole answer has no Content-Length")


@GROUP.should(
    "STR-06", "Nothing in the image holds small parts back: each single byte comes when it is made.",
    source="OBS", otherwise="A token at a time becomes a buffer at a time: the answer comes in bursts.",
    fix=FLUSH, pains=(57,),
)  # fmt: skip
def bytes_are_not_held_back(bench: Bench) -> str:
    return spread(bench, count=5, size=1)


def spread(bench: Bench, *, count: int, size: int) -> str:
    """How much earlier the first part came than the last. Raises Broken if it waited for later ones."""
    pause_s = max(LEAST_PAUSE_S, bench.paced(PAUSE_S)) * 2 / (count - 1)
    answer, by_sample = streamed(bench, count=count, pause_s=pause_s, size=size)
    if answer.status != 200 or not answer.pieces:
        untestable(f"needs a streamed answer, as STR-01; it was {answer}")
    first_s, last_s = answer.pieces[0][0], answer.pieces[-1][0]
    seen = f"the first part after {first_s:.2f} s, the last after {last_s:.2f} s"
    if by_sample:
        if last_s - first_s < SPREAD_S and last_s < SLOW_SAMPLE_S:
            untestable(f"needs a sample request whose answer takes longer: {seen}")
        least_s = SPREAD_S
    else:
        least_s = (count - 1) * pause_s / 2
    expect(last_s - first_s >= least_s, f"parts were held back: {seen}")
    return seen


def streamed(bench: Bench, **order: Any) -> tuple[Answer, bool]:
    """A stream, and whether it is the sample's answer: else it was ordered of the probe."""
    if Claim.SCRIPTS in bench.claims:
        answer = ordered(bench.probe(), **order)
        if answer.chunked or bench.sample_or_none is None:
            return answer, False
        sampled = of_sample(bench)
        return (sampled, True) if sampled.chunked else (answer, False)
    return of_sample(bench), True


def ordered(server: Server, *, limit_s: float = 60.0, **order: Any) -> Answer:
    """The probe's stream. order: arguments of its parts()."""
    return server.invoke({"do": "stream", **order}, timeout_s=limit_s)


def of_sample(bench: Bench) -> Answer:
    return bench.server().invoke(bench.sample.body, bench.sample.content_type)


def needs_chunks(answer: Answer) -> None:
    """Raise Untestable unless it is streamed."""
    if answer.status != 200 or not answer.chunked:
        untestable(f"needs a chunked answer, as STR-01; it was {answer}")


def unstreamed(bench: Bench) -> Answer:
    """An answer to what asks for no stream: the probe's, or the sample's with "stream" switched off."""
    if Claim.SCRIPTS in bench.claims:
        return bench.probe().invoke({"do": "say", "what": "whole"})
    try:
        order = json.loads(bench.sample.body)
    except ValueError:
        order = None
    if not isinstance(order, dict) or "stream" not in order:
        untestable('needs a sample request that can be switched: JSON with "stream": true')
    return bench.server().invoke({**order, "stream": False}, bench.sample.content_type)
