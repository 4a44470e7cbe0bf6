"""BT: batch transform."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.records import BATCH_ENV, CSV, records, server
from local_test.conformance.server import Server, json_of
from local_test.conformance.wire import Answer, request_head

GROUP = Group(claim=Claim.BATCH)

STRATEGIES = ("MULTI_RECORD", "SINGLE_RECORD")
KEYS = ("MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB")
BATCH_LIMIT_MB = 100
HELD_LIMIT = 64  # connections that we hold at once, however many it asks for
LINES = 1000
MEGABYTE = 10**6
CHUNKED_MB, RAISED_TO_MB, RAISED_MB = 200, 50, 45
MEASURE = "application/x-counted"
NOT_TAKEN = {411, 413, 501, 502, 503, 504}
JOB_FAILS = "The job fails, after retries, for each file that it happens to."
WRONG_OUTPUT = "The output has another number or order of records than the input, and cannot be joined with it."


@GROUP.must(
    "BT-01", "SAGEMAKER_BATCH=true, or True as the SDK writes it, does not change that it becomes ready.",
    source="DG:batch, SDK2", otherwise="The job fails before its first request.", pains=(13,),
    fix="Start with SAGEMAKER_BATCH as without it.",
)  # fmt: skip
def ready_in_batch(bench: Bench) -> None:
    try:
        serves_the_sample(bench, server(bench))
    except Untestable as reason:
        raise Broken(f"with SAGEMAKER_BATCH=true {reason}") from reason
    with bench.run(bench.change(env={"SAGEMAKER_BATCH": "True"})) as started:
        serves_the_sample(bench, started)


def serves_the_sample(bench: Bench, server: Server) -> None:
    """Raises Broken if the request that works, as far as one is known, does not."""
    if bench.sample_or_none:
        answer = server.invoke(bench.sample.body, bench.sample.content_type)
        expect(answer.status == 200, f"with SAGEMAKER_BATCH the request that works was answered {answer}")


@GROUP.must(
    "BT-02", "/execution-parameters gives the three parameters in the platform's words, or is 404.",
    source="DG:batch", otherwise="The job fails, or runs with one request at a time of at most 6 MB.", pains=(13,),
    fix='Answer {"MaxConcurrentTransforms": 8, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}, or 404.',
)  # fmt: skip
def parameters_have_their_shape(bench: Bench) -> str:
    answer = server(bench).request("GET", "/execution-parameters")
    if answer.status == 404:
        return "404: the platform's defaults hold"
    expect(answer.status == 200, f"it answered {answer}")
    found = json_of(answer)
    expect(isinstance(found, dict) and all(key in found for key in KEYS), f"not all of {', '.join(KEYS)}: {answer}")
    expect(found["BatchStrategy"] in STRATEGIES, f"BatchStrategy is none of {', '.join(STRATEGIES)}: {answer}")
    expect(count(found, "MaxConcurrentTransforms") >= 1, f"MaxConcurrentTransforms is less than 1: {answer}")
    expect(count(found, "MaxPayloadInMB") >= 0, f"MaxPayloadInMB is less than 0: {answer}")
    return ", ".join(f"{key} {found[key]}" for key in KEYS)


def count(parameters: dict[str, Any], key: str) -> int:
    """Raises Broken unless it is a whole number."""
    value = parameters.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Broken(f"{key} is {value!r}, not a whole number")
    return value


def parameters(bench: Bench) -> dict[str, Any]:
    """What it says. Raises NotApplicable where it says nothing, Broken where it is not JSON."""
    answer = server(bench).request("GET", "/execution-parameters")
    if answer.status != 200:
        raise NotApplicable(f"GET /execution-parameters is {answer.status}: the platform's defaults hold")
    found = json_of(answer)
    return found if isinstance(found, dict) else {}


@GROUP.should(
    "BT-03", "MaxPayloadInMB, and its product with MaxConcurrentTransforms, are at most 100.",
    source="API", otherwise="The platform refuses a job that takes these parameters over.", pains=(12, 13),
    fix="Lower MaxPayloadInMB or MaxConcurrentTransforms in the answer of /execution-parameters.",
)  # fmt: skip
def parameters_are_within_limits(bench: Bench) -> str:
    found = parameters(bench)
    payload_mb, at_once = count(found, "MaxPayloadInMB"), count(found, "MaxConcurrentTransforms")
    product_mb = payload_mb * max(1, at_once)
    expect(product_mb <= BATCH_LIMIT_MB, f"{payload_mb} MB x {at_once} requests at once are {product_mb} MB")
    return f"{payload_mb} MB x {at_once}"


@GROUP.should(
    "BT-04", "It answers as many requests at once as MaxConcurrentTransforms says.",
    source="inf DG:batch", otherwise=JOB_FAILS, pains=(13,),
    fix="Say in MaxConcurrentTransforms how many requests the workers and the queue before them take.",
)  # fmt: skip
def holds_what_it_says(bench: Bench) -> str:
    at_once = min(HELD_LIMIT, count(parameters(bench), "MaxConcurrentTransforms"))
    answers = held_at_once(bench, server(bench), at_once)
    wrong = [answer for answer in answers if answer.status != 200]
    expect(not wrong, f"of {at_once} requests at once {len(wrong)} were not answered 200, such as {wrong[:1]}")
    return f"{at_once} at once"


def held_at_once(bench: Bench, server: Server, at_once: int) -> list[Answer]:
    """The answers of requests of which each was sent but for its last byte before any was ended."""
    body = bench.sample.body
    head = {"Content-Type": bench.sample.content_type, "Content-Length": str(len(body)), "Connection": "close"}
    with ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(at_once)]
        for wire in wires:
            wire.send(request_head("POST", "/invocations", head) + body[:-1])
        for wire in wires:
            wire.send(body[-1:])
        return [wire.answer() for wire in wires]


@GROUP.must(
    "BT-05", "A request of a thousand records, CSV or JSON Lines, is answered with as many, in their order.",
    source="DG:batch", otherwise=WRONG_OUTPUT, pains=(13, 24),
    fix="Answer each line of the request with one line, none left out, none sorted.",
)  # fmt: skip
def as_many_records_in_order(bench: Bench) -> str:
    lines = records(bench)
    kinds = [lines, lines.as_json_lines()] if lines.content_type.startswith(CSV) else [lines]
    seen = []
    for kind in [each for each in kinds if each.lines]:
        numbers = random.Random(LINES).choices(range(len(kind.lines)), k=LINES)  # noqa: S311 - no secret
        kind.expect_answers(kind.ask([kind.lines[number] for number in numbers]), numbers)
        order = "in order" if len(set(kind.answers)) > 1 else "whose order cannot be seen: all are answered alike"
        seen.append(f"{LINES} of {kind.content_type} {order}")
    return ", ".join(seen)


@GROUP.must(
    "BT-06", "A newline after the last record changes nothing: there is no blank record.",
    source="OBS XGB", otherwise=WRONG_OUTPUT, pains=(13, 24),
    fix="Take a newline as the end of a line, not as the beginning of another.",
)  # fmt: skip
def last_newline_is_no_record(bench: Bench) -> None:
    lines = records(bench)
    numbers = [place % len(lines.lines) for place in range(3)]
    for end, name in ((b"", "without"), (b"\n", "with")):
        try:
            lines.expect_answers(lines.ask([lines.lines[number] for number in numbers], end), numbers)
        except Broken as broken:
            raise Broken(f"{name} a newline at the end: {broken}") from broken


@GROUP.should(
    "BT-07", "A record that cannot be read is answered with a placeholder, and the others as ever.",
    source="DG:batch", otherwise="One bad record costs the output of its whole file.", pains=(13, 24),
    fix="With SAGEMAKER_BATCH=true put a placeholder in the place of a bad record instead of answering 400.",
)  # fmt: skip
def bad_record_gets_a_placeholder(bench: Bench) -> None:
    lines = records(bench)
    good, is_csv = lines.lines[0], lines.content_type.startswith(CSV)
    bad = b",".join([b"conformance"] * (good.count(b",") + 1)) if is_csv else b'{"conformance": null}'
    lines.expect_answers(lines.ask([good, bad, good]), [0, None, 0])


@dataclass(frozen=True)
class Taker:
    """A server that is given more than it takes by default."""

    server: Server
    content_type: str
    measures: bool
    """Whether it answers with the number of bytes; if not, noise is sent, and anything but a refusal will do."""

    def send(self, head: dict[str, str], pieces: Iterator[bytes], size_bytes: int) -> str:
        """Send it in pieces. Raises Broken if it was not taken whole."""
        with self.server.connect() as wire:
            headers = {"Content-Type": self.content_type, "Connection": "close", **head}
            wire.send(request_head("POST", "/invocations", headers))
            wire.send(pieces)
            answer = wire.answer()
        whole = answer.status == 200 and answer.body == b"%d" % size_bytes
        taken = whole if self.measures else answer.status not in NOT_TAKEN
        expect(taken, f"{size_bytes / MEGABYTE:g} MB were answered {answer}")
        return f"{size_bytes / MEGABYTE:g} MB answered {answer.status} in {answer.seconds:.1f} s"


@contextmanager
def taker(bench: Bench, limit_mb: int) -> Iterator[Taker]:
    """A server with this limit of a request's body."""
    measures = Claim.SCRIPTS in bench.claims
    env = {**BATCH_ENV, "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(limit_mb)}
    setup = replace(bench.probe_setup() if measures else bench.setup, env=env)
    noise_type = bench.sample_or_none.content_type if bench.sample_or_none else CSV
    server(bench)  # where none starts, BT-01 says so
    with bench.run(setup) as started:
        yield Taker(started, MEASURE if measures else noise_type, measures)


@GROUP.should(
    "BT-08", "With a payload limit of 0 it takes a body of 200 MB in chunks, its length not known before.",
    source="DG:batch", otherwise=JOB_FAILS, pains=(12, 13),
    fix="Take Transfer-Encoding: chunked, and set no limit where SAGEMAKER_MAX_PAYLOAD_IN_MB is 0.",
)  # fmt: skip
def takes_endless_chunks(bench: Bench) -> str:
    chunks = max(1, round(bench.paced(CHUNKED_MB)))
    chunk = b"%x\r\n%b\r\n" % (MEGABYTE, b"\xff" * MEGABYTE)
    pieces = (chunk if number < chunks else b"0\r\n\r\n" for number in range(chunks + 1))
    with taker(bench, 0) as server:
        return server.send({"Transfer-Encoding": "chunked"}, pieces, chunks * MEGABYTE)


@GROUP.should(
    "BT-09", "SAGEMAKER_MAX_PAYLOAD_IN_MB raises the limit of a request's body.",
    source="DG:batch", otherwise=JOB_FAILS, pains=(12, 13),
    fix="Set the body limit of each layer, the proxy's too, by SAGEMAKER_MAX_PAYLOAD_IN_MB.",
)  # fmt: skip
def limit_can_be_raised(bench: Bench) -> str:
    piece, size_bytes = b"\xff" * MEGABYTE, RAISED_MB * MEGABYTE
    with taker(bench, RAISED_TO_MB) as server:
        return server.send({"Content-Length": str(size_bytes)}, (piece for _ in range(RAISED_MB)), size_bytes)


@GROUP.should(
    "BT-10", "The same request is answered the same when it is sent again.",
    source="inf API", otherwise="The output depends on whether the platform had to retry.", pains=(13,),
    fix="Let nothing but the request and the model decide the answer; seed what is random.",
)  # fmt: skip
def retries_are_answered_alike(bench: Bench) -> None:
    sample, asked = bench.sample, server(bench)
    first, *others = [asked.invoke(sample.body, sample.content_type) for _ in range(3)]
    for answer in others:
        same = (answer.status, answer.body, answer.media_type) == (first.status, first.body, first.media_type)
        expect(same, f"first {first}, then {answer}")
