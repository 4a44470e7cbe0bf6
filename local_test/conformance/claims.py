"""Finds out what a container is for: by its labels, by what answers, by what the caller says. Called once by runner."""

from __future__ import annotations

from local_test.conformance.assertion import Broken, Claim, Untestable
from local_test.conformance.bench import PROBE_DIR, Bench
from local_test.conformance.engine import EngineFault
from local_test.conformance.server import Server
from local_test.conformance.wire import NoAnswer

ORDER_LIMIT_S = 20.0  # one that hangs is no sign of anything
CAPABILITY = "com.amazonaws.sagemaker.capabilities."
OWN_LABEL = "sagemaker-conformance.claims"
"""A comma-separated list of claims that no label of the platform's has a name for."""

SCRIPT_LIMIT_S = 30.0

BY_LABEL = {
    "multi-models": Claim.MULTI_MODEL,
    "accept-bind-to-port": Claim.PIPELINE,
    "bidirectional-streaming": Claim.BIDIRECTIONAL,
}

BY_ROUTE = {
    Claim.BATCH: ("GET", "/execution-parameters", {200}),
    Claim.ADAPTERS: ("GET", "/adapters", {200}),
    Claim.OPENAI: ("POST", "/v1/chat/completions", {200, 400, 422}),
}
"""Method, path and the statuses by which a route that exists answers a request without a body."""

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def find(bench: Bench) -> frozenset[Claim]:
    """Every claim there is a sign of."""
    found = bench.options.claims | by_label(bench.subject.labels)
    if Claim.TRAINING not in found and _trains(bench):
        found |= {Claim.TRAINING}
    try:
        server = bench.server()
    except Untestable:
        return found
    found |= {claim for claim, route in BY_ROUTE.items() if _answers(server, *route)}
    if _answers(server, "GET", "/invocations-bidirectional-stream", {101}, HANDSHAKE):
        found |= {Claim.BIDIRECTIONAL}
    if Claim.SCRIPTS not in found and _runs_scripts(bench):
        found |= {Claim.SCRIPTS}
    return found


def by_label(labels: object) -> frozenset[Claim]:
    """What an image says of itself. The value of a label may be wrong; IMG-12 to IMG-14 look at it."""
    given = dict(labels) if isinstance(labels, dict) else {}
    own = {word.strip() for word in given.get(OWN_LABEL, "").split(",")}
    named = {claim for claim in Claim if claim.value in own}
    return frozenset(named | {claim for name, claim in BY_LABEL.items() if CAPABILITY + name in given})


def _answers(server: Server, method: str, path: str, statuses: set[int], headers: dict[str, str] | None = None) -> bool:
    try:
        return server.request(method, path, headers=headers, timeout_s=5).status in statuses
    except NoAnswer:
        return False


def _trains(bench: Bench) -> bool:
    """Whether there is a program named train, or data for it. An entry point that knows the word has a label."""
    if bench.options.channels:
        return True
    try:
        return bool(bench.subject.image().program("train"))
    except (Untestable, EngineFault):
        return False


def _runs_scripts(bench: Bench) -> bool:
    """Whether code/inference.py of the model folder answers: a server that ignores it does not know the order."""
    script = (PROBE_DIR / "code" / "inference.py").read_text()
    setup = bench.change(model_dir=bench.script_dir(script))
    try:
        # One that knows no scripts finds no model there, and may try to start without end.
        with bench.run(setup, limit_s=min(SCRIPT_LIMIT_S, bench.options.start_limit_s)) as server:
            order = {"do": "say", "what": "conformance"}
            return server.invoke(order, timeout_s=ORDER_LIMIT_S).body == b"conformance"
    except (Broken, Untestable, NoAnswer):
        return False
