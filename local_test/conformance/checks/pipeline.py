"""SIP: a stage of a serial inference pipeline."""

from __future__ import annotations

from local_test.conformance.assertion import Broken, Claim, Group, expect
from local_test.conformance.bench import Bench
from local_test.conformance.sample import MEGABYTE, baseline, first_answer, refusals, send, works

GROUP = Group(claim=Claim.PIPELINE)

BETWEEN_BYTES = 5 * MEGABYTE
PARAMETER = "; charset=utf-8"
STAGE_FAILS = "The pipeline fails at this stage for each request, though every stage works alone."


@GROUP.must(
    "SIP-01", "What a stage before it answers is taken with its Content-Type as it is, parameters too.",
    source="FR #3235", otherwise=STAGE_FAILS, pains=(22, 61),
    fix="Compare the part of Content-Type before the semicolon; read the type that the stage before writes.",
)  # fmt: skip
def types_pass_on(bench: Bench) -> str:
    answer = baseline(bench)
    given = bench.sample.content_type + PARAMETER
    works(bench.server().invoke(bench.sample.body, given), f"as {given}, as a stage before it may")
    own = answer.headers.get("content-type", "")
    if bench.server().invoke(answer.body, own).status != 415:
        return f"its own {own} too"
    bare = bench.server().invoke(answer.body, answer.media_type)
    expect(bare.status == 415, f"its own answer is refused as {own}, and taken as {answer.media_type}")
    return f"it reads no {own}, which it makes: what follows must"


@GROUP.should(
    "SIP-02", "It works without Accept.",
    source="FR #729", otherwise=STAGE_FAILS, fix="Take a missing Accept for your default type.", pains=(23,),
)  # fmt: skip
def needs_no_accept(bench: Bench) -> None:
    answer = first_answer(bench)  # names none
    if answer.status != 200 and send(bench.server(), bench.sample, {"Accept": "*/*"}).status == 200:
        raise Broken(f"without Accept it answered {answer}, with */* it works")
    baseline(bench)


@GROUP.should(
    "SIP-03", "Its answer has at most 5 MB, which is what may pass between two stages.",
    source="DG:sip", otherwise="The request fails between this stage and the next.", pains=(60,),
    fix="Answer in a denser type, or with less; let clients send fewer records a request.",
)  # fmt: skip
def answer_is_small(bench: Bench) -> str:
    answer, sample = baseline(bench), bench.sample
    expect(len(answer.body) <= BETWEEN_BYTES, f"the sample's answer has {len(answer.body) / MEGABYTE:.1f} MB")
    ratio = len(answer.body) / max(1, len(sample.body))
    return f"{len(answer.body)} bytes for {len(sample.body)}, {ratio:.1f} times as many"


@GROUP.should(
    "SIP-04", "A stage that fails says so by a 4xx or 5xx with a body of its own.",
    source="inf DG:sip", otherwise="The next stage reads an error as its input, or nobody learns which stage it was.",
    fix="Never answer an error with 200; say in the body what is wrong.", pains=(3,),
)  # fmt: skip
def errors_end_the_pipeline(bench: Bench) -> str:
    errors = refusals(bench)
    if Claim.SCRIPTS in bench.claims:
        errors["a handler that raises"] = bench.probe().invoke({"do": "fail"})
    for what, answer in errors.items():
        expect(answer.status >= 400, f"{what} was answered {answer}")
        expect(answer.body, f"{what} was answered {answer.status} without a word")
    return ", ".join(f"{what}: {answer.status}" for what, answer in errors.items())
