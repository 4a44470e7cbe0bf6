"""INV: bodies of POST /invocations and their framing."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group, expect
from local_test.conformance.bench import Bench
from local_test.conformance.sample import MEGABYTE, baseline, first_answer, head, misfit, send, send_grown, works
from local_test.conformance.server import INVOCATION_LIMIT_S

GROUP = Group()

COUNTED = "application/x-counted"
REAL_TIME_BYTES = 25 * MEGABYTE
SERVERLESS_BYTES = 4 * MEGABYTE
CONTINUE_LIMIT_S = 3.0  # curl goes on after one second by itself, other clients wait
MODEL_ERROR = "The client gets ModelError (424) for each request."


@GROUP.must(
    "INV-01", "A request that should work is answered 200.",
    source="DG:host", otherwise=MODEL_ERROR, pains=(3, 5),
    fix="Add the route POST /invocations; look into the log for why the sample fails.",
)  # fmt: skip
def sample_is_200(bench: Bench) -> str:
    answer = first_answer(bench)
    expect(answer.status == 200, f"it answered {answer}")
    return f"{answer.seconds * 1000:.1f} ms"


@GROUP.must(
    "INV-02", "The answer is complete within 60 s.",
    source="DG:host", otherwise="The platform gives up; the client gets a timeout, and the model works on for nobody.",
    fix="Send less a request, use more workers or a larger instance, or an asynchronous endpoint.", pains=(4,),
)  # fmt: skip
def answered_within_60_s(bench: Bench) -> str:
    answers = [baseline(bench), send(bench.server(), bench.sample), send(bench.server(), bench.sample)]
    for answer in answers:
        bench.time("invoke", answer.seconds)
    slowest_s = max(answer.seconds for answer in answers)
    expect(slowest_s <= bench.paced(INVOCATION_LIMIT_S), f"an answer took {slowest_s:.1f} s")
    return f"slowest of {len(answers)}: {slowest_s * 1000:.1f} ms"


@GROUP.must(
    "INV-03", "A request body of 25 MB is taken.",
    source="DG:faq", otherwise="Requests that the platform lets through are refused: 413, or a reset.", pains=(12,),
    fix="Raise each body limit on the way: client_max_body_size of nginx, MAX_CONTENT_LENGTH of Flask, and their like.",
)  # fmt: skip
def takes_25_mb(bench: Bench) -> str:
    if Claim.SCRIPTS in bench.claims:
        answer = bench.probe().invoke(b"x" * REAL_TIME_BYTES, COUNTED)
        if answer.status != 415:
            expect(answer.body == b"%d" % REAL_TIME_BYTES, f"a body of 25 MB was answered {answer}")
            return f"{answer.seconds:.2f} s"
    baseline(bench)
    answer = send_grown(bench.server(), bench.sample, REAL_TIME_BYTES)
    return f"{answer.status} after {answer.seconds:.2f} s"


@GROUP.should(
    "INV-04", "An answer of 25 MB comes whole.",
    source="inf DG:faq", otherwise="Large answers fail, or come cut short.", pains=(60,),
    fix="Raise the limit of the response's size; let the proxy buffer to disk where its memory ends.",
)  # fmt: skip
def makes_25_mb(bench: Bench) -> str:
    answer = bench.probe().invoke({"do": "fill", "size": REAL_TIME_BYTES})
    expect(answer.status == 200, f"an order of 25 MB was answered {answer}")
    whole = answer.complete and len(answer.body) == REAL_TIME_BYTES
    expect(whole, f"{len(answer.body)} of {REAL_TIME_BYTES} bytes came")
    return f"{answer.seconds:.2f} s"


@GROUP.should(
    "INV-05", "4 MB are taken within a serverless endpoint's limits.",
    source="DG:sls", otherwise="A serverless endpoint fails for the larger of the requests that it allows.",
    fix="Keep spooled bodies under /tmp; need neither root nor /dev/shm.", pains=(12, 69),
)  # fmt: skip
def takes_4_mb_serverless(bench: Bench) -> str:
    baseline(bench)
    with bench.run(bench.change(user="1000", read_only=True, no_shm=True)) as server:
        answer = send_grown(server, bench.sample, SERVERLESS_BYTES)
    return f"{answer.status} after {answer.seconds:.2f} s"


@GROUP.should(
    "INV-06", "A chunked request without Content-Length is read.",
    source="DG:batch", otherwise="Batch transform with MaxPayloadInMB 0 fails: it sends whole objects so.", pains=(13,),
    fix="Put a server in front that understands Transfer-Encoding: chunked, and do not ask for Content-Length (411).",
)  # fmt: skip
def reads_chunks(bench: Bench) -> None:
    baseline(bench)
    sample, half = bench.sample, len(bench.sample.body) // 2 or 1
    parts = [part for part in (sample.body[:half], sample.body[half:]) if part]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with bench.server().connect() as wire:
        wire.send(head(sample, **{"Transfer-Encoding": "chunked"}) + chunks)
        works(wire.answer(), "in chunks")


@GROUP.should(
    "INV-07", "Expect: 100-continue is answered, then the request.",
    source="OBS", otherwise="curl sends it with bodies over 1 MB: a refusal loses the request, silence costs a second.",
    fix="Answer 100 Continue; any current HTTP/1.1 server or nginx in front does.", pains=(12,),
)  # fmt: skip
def continues(bench: Bench) -> None:
    baseline(bench)
    with bench.server().connect(CONTINUE_LIMIT_S) as wire:
        wire.send(head(bench.sample, Expect="100-continue", **{"Content-Length": str(len(bench.sample.body))}))
        interim = wire.receive()
        expect(interim.startswith(b"HTTP/1.1 100"), f"it answered {interim[:60]!r} before it had the body")
        wire.put_back(interim)
        wire.send(bench.sample.body)
        works(wire.answer(timeout_s=INVOCATION_LIMIT_S), "after 100 Continue")


@GROUP.must(
    "INV-08", "The answer has a Content-Type, and the body is of it.",
    source="RT", otherwise="The client's SDK, a pipeline's next container or data capture reads it wrong.", pains=(25,),
    fix="Set Content-Type with each answer: Flask's default is text/html. Write NaN as null in JSON.",
)  # fmt: skip
def content_type_is_true(bench: Bench) -> str:
    answer = baseline(bench)
    wrong = misfit(answer)
    expect(not wrong, wrong)
    return answer.media_type
