"""INV: headers, paths, and clients of POST /invocations: many, slow ones, and those that leave."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from local_test.conformance.assertion import Broken, Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.load import CLIENTS, loaded_ping
from local_test.conformance.sample import baseline, head, send, works
from local_test.conformance.server import INVOCATION_LIMIT_S, Server, json_of, wait_for
from local_test.conformance.wire import Answer, NoAnswer

GROUP = Group()

BLOB = "application/octet-stream"
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
AT_ONCE_S = 2.0
LOAD_S = 5.0
SLOW_BODY_S = 10.0
ABORTS = 4
RECOVERY_S = 10.0


@GROUP.must(
    "INV-20", "Custom-Attributes reach the handler, and come back only if it sets them.",
    source="RT", otherwise="The one free field between client and model is lost, or the client's own comes back to it.",
    fix="Hand the request's headers to the handler, and those that it sets to the client; copy none.", pains=(32,),
)  # fmt: skip
def custom_attributes_travel(bench: Bench) -> None:
    order = {"do": "attributes"}
    silent = bench.probe().invoke(order, headers={CUSTOM_ATTRIBUTES: "trace=1"})
    expect(silent.status == 200, f"it answered {silent}")
    seen = json_of(silent)
    if "seen" not in seen:
        raise NotApplicable("its scripts get no context, and so no headers")
    expect(seen["seen"] == "trace=1", f"sent trace=1, the handler saw {seen['seen']!r}")
    back = silent.headers.get(CUSTOM_ATTRIBUTES.lower())
    expect(not back, f"the handler set none, {back!r} came back")
    set_ = bench.probe().invoke({**order, "answer": "seen=2"}).headers.get(CUSTOM_ATTRIBUTES.lower())
    expect(set_ == "seen=2", f"the handler set seen=2, {set_!r} came back")


@GROUP.must(
    "INV-21", "Content-Type, Accept, Custom-Attributes and Target-Model of 1024 characters each are taken together.",
    source="RT", otherwise="Requests with long headers, which the platform allows, are refused: 400 or 431.",
    fix="Allow 16 KB of headers: large_client_header_buffers of nginx, limit_request_field_size of gunicorn.",
    pains=(32,),
)  # fmt: skip
def takes_long_headers(bench: Bench) -> str:
    media_type = baseline(bench).media_type or "*/*"
    headers = {
        "Content-Type": padded(bench.sample.content_type),
        "Accept": padded(media_type),
        CUSTOM_ATTRIBUTES: "c" * 1024,
        "X-Amzn-SageMaker-Target-Model": "m" * 1024,
    }
    answer = send(bench.server(), bench.sample, headers)
    # A parameter that it does not know is another matter: INV-12
    expect(answer.status in (200, 406, 415), f"with four headers of 1024 characters it answered {answer}")
    return str(answer.status)


def padded(media_type: str) -> str:
    """A media type of 1024 characters, by a parameter without a meaning."""
    return f"{media_type}; x=".ljust(1024, "a")


@GROUP.must(
    "INV-22", "The platform's other headers, known and unknown, do no harm.",
    source="DG:host", otherwise="Requests fail as soon as a client names a variant or an id, or the platform adds one.",
    fix="Ignore X-Amzn-SageMaker-* headers that mean nothing to you.", pains=(32,),
)  # fmt: skip
def other_headers_are_harmless(bench: Bench) -> None:
    baseline(bench)
    names = ["Inference-Id", "Target-Variant", "Target-Model", "Session-Id", "Not-Invented-Yet"]
    if Claim.SESSIONS in bench.claims:
        names.remove("Session-Id")  # an unknown session may be refused
    headers = {f"X-Amzn-SageMaker-{name}": "value-1" for name in names}
    if send(bench.server(), bench.sample, headers).status == 200:
        return
    for name, value in headers.items():
        works(send(bench.server(), bench.sample, {name: value}), f"with {name}")
    raise Broken(f"sent with all of {', '.join(headers)} the sample failed, with each alone it did not")


@GROUP.should(
    "INV-23", "Another method and unknown paths are refused at once, with 405 or 404, and nothing else happens.",
    source="convention", otherwise="A wrong address looks like a working one, or keeps a worker busy.",
    fix="Answer 404 to every path that you do not know, 405 to GET /invocations.",
)  # fmt: skip
def refuses_other_paths(bench: Bench) -> None:
    server = bench.server()
    for method, path in (("GET", "/invocations"), ("GET", "/no-such-path"), ("POST", "/no/such/path")):
        answer = server.request(method, path, timeout_s=INVOCATION_LIMIT_S)
        expect(answer.status in (404, 405), f"{method} {path} was answered {answer}")
        expect(answer.seconds <= AT_ONCE_S, f"{method} {path} was answered after {answer.seconds:.1f} s")
    expect(server.ping().status == 200, "afterwards /ping was not 200")


@GROUP.must(
    "INV-24", "Bytes come through as they are, in both directions.",
    source="inf DG:host", otherwise="Images, arrays and compressed bodies arrive broken.", pains=(58,),
    fix="Decode only what a Content-Type says is text.",
)  # fmt: skip
def bytes_are_untouched(bench: Bench) -> None:
    body = bytes(range(256)) * 64
    answer = bench.probe().invoke(body, BLOB)
    if answer.status == 415:
        raise Untestable(f"it refuses {BLOB}: {answer}")
    expect(answer.status == 200, f"a body of all byte values was answered {answer}")
    expect(answer.body == body, f"{len(body)} bytes were sent to be echoed, {len(answer.body)} other ones came back")


@GROUP.should(
    "INV-25", "Clients at once all get answers, and /ping goes on within 2 s.",
    source="inf DG:host", otherwise="An endpoint fails some requests, or is replaced, once it is used much.",
    fix="Queue what comes while all workers are busy; answer /ping outside of them.", pains=(16, 74), slow=True,
)  # fmt: skip
def bears_load(bench: Bench) -> str:
    baseline(bench)
    server, ends_s = bench.server(), time.monotonic() + max(1.0, bench.paced(LOAD_S))
    pings: list[Answer] = []
    with ThreadPoolExecutor(CLIENTS) as clients:
        work = [clients.submit(hammer, bench, server, ends_s) for _ in range(CLIENTS)]
        while not all(each.done() for each in work):
            pings.append(loaded_ping(server))
            time.sleep(0.05)
    outcomes = [outcome for each in work for outcome in each.result()]
    failures = [outcome for outcome in outcomes if outcome]
    expect(not failures, f"{len(failures)} of {len(outcomes)} requests of {CLIENTS} clients failed: {failures[:1]}")
    expect(all(each.status == 200 for each in pings), "/ping was not 200 at full load")
    return f"{len(outcomes)} answers, slowest /ping {max(each.seconds for each in pings) * 1000:.0f} ms"


def hammer(bench: Bench, server: Server, ends_s: float) -> list[str]:
    """Send the sample again and again: what was wrong with each answer, or nothing."""
    outcomes: list[str] = []
    while not outcomes or time.monotonic() < ends_s:
        try:
            answer = send(server, bench.sample)
            bench.time(f"invoke, {CLIENTS} clients", answer.seconds)
            outcomes.append("" if answer.status == 200 else str(answer))
        except NoAnswer as error:
            outcomes.append(str(error))
    return outcomes


@GROUP.should(
    "INV-26", "A client that leaves in the middle does no harm.",
    source="convention", otherwise="One impatient client takes the others' server away.", pains=(73,),
    fix="Treat a connection that ends as the end of its request alone.",
)  # fmt: skip
def bears_aborts(bench: Bench) -> None:
    baseline(bench)
    server, sample = bench.server(), bench.sample
    longer = head(sample, **{"Content-Length": str(len(sample.body) + 100_000)}) + sample.body
    whole = head(sample, **{"Content-Length": str(len(sample.body))}) + sample.body
    for request in (longer, whole) * ABORTS:
        with server.connect() as wire:
            wire.send(request)
            wire.abort()
    wait_for(lambda: _usable(server, sample), RECOVERY_S, f"after {2 * ABORTS} clients that left it answered none more")


def _usable(server: Server, sample: Sample) -> bool:
    """Whether the sample is answered 200 now; what the others have begun may be in its way for a while."""
    end = server.ended()
    expect(end is None, f"a client that left ended it, with exit code {end.code if end else 0}")
    with suppress(NoAnswer):
        return send(server, sample).status == 200
    return False


@GROUP.should(
    "INV-27", "A body that takes 10 s to arrive is waited for.",
    source="OBS", otherwise="Clients with slow links lose their requests.", slow=True, waits=True,
    fix="Let the front wait for a body for as long as the platform does, 60 s: client_body_timeout of nginx.",
)  # fmt: skip
def waits_for_a_slow_body(bench: Bench) -> None:
    baseline(bench)
    sample, total_s = bench.sample, max(1.0, bench.paced(SLOW_BODY_S))
    step = -(-len(sample.body) // 10)
    parts = [sample.body[start : start + step] for start in range(0, len(sample.body), step)]
    with bench.server().connect(total_s + INVOCATION_LIMIT_S) as wire:
        wire.send(head(sample, **{"Content-Length": str(len(sample.body))}))
        wire.send(parts, pause_s=total_s / len(parts))
        works(wire.answer(), f"slowly, over {total_s:g} s")
