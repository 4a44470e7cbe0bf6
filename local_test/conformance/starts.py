"""Whether a server that is started in some other way than the platform's still works. Used by files of checks/.

It works when it gets ready and answers a request. Where the plain server does not work either, the change is not to
blame: then a check is Untestable, unless the change is what helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

from local_test.conformance.assertion import Broken, Claim, Untestable, expect
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.server import Server, Setup
from local_test.conformance.wire import NoAnswer

PROBE_SAMPLE = Sample(b'{"do": "say", "what": "ready"}', "application/json")
PATIENCE_S = 60.0
PATIENCE_FACTOR = 10.0  # of the plain server's start


def must_answer(server: Server, sample: Sample | None) -> None:
    """Raise Broken unless it answers the request 200. Without a request it is enough that it is ready."""
    if sample is not None:
        answer = server.invoke(sample.body, sample.content_type)
        expect(answer.status == 200, f"the sample request was answered {answer}")


def plain(bench: Bench) -> Server:
    """The shared server, if it works. Raises Untestable if not: RUN-01, PNG-01 and INV-01 say why."""
    server = bench.server()
    try:
        must_answer(server, bench.sample_or_none)
    except (Broken, NoAnswer) as error:
        raise Untestable(f"started as usual it does not answer the sample request: {error}") from error
    return server


@contextmanager
def working(bench: Bench, setup: Setup, sample: Sample | None) -> Iterator[Server]:
    """A server of its own that works. Raises Broken or NoAnswer if it does not."""
    with bench.run(setup, ready=False, needs_server=False) as server:
        server.wait_ready(patience_s(bench))
        must_answer(server, sample)
        yield server


@contextmanager
def changed(bench: Bench, **changes: Any) -> Iterator[Server]:
    """A server that works with these changes of bench.setup. Raises Broken or NoAnswer if only the plain one does."""
    plain(bench)
    with working(bench, bench.change(**changes), bench.sample_or_none) as server:
        yield server


def must_bear(bench: Bench, condition: str, **changes: Any) -> None:
    """Raise Broken if the server works as usual, and does not with these changes of bench.setup."""
    plain(bench)
    seen = trouble(bench, bench.change(**changes), bench.sample_or_none)
    expect(not seen, f"{condition}: {seen}")


def trouble(bench: Bench, setup: Setup, sample: Sample | None) -> str:
    """What keeps a server from working that is started so; empty if it works."""
    try:
        with working(bench, setup, sample):
            return ""
    except (Broken, NoAnswer) as error:
        return str(error)


def blame(bench: Bench, condition: str, reason: Untestable, **changes: Any) -> NoReturn:
    """The plain server does not work. Raises Broken if it does with these changes, and the reason again if not."""
    if not trouble(bench, bench.change(**changes), bench.sample_or_none):
        raise Broken(f"it works only {condition}; else: {reason}") from reason
    raise reason


def patience_s(bench: Bench) -> float:
    """How long a changed server is waited for: a good while longer than the plain one took."""
    try:
        usual_s = bench.server().ready_s or 0.0
    except Untestable:
        usual_s = 0.0
    return min(bench.options.start_limit_s, max(PATIENCE_S, PATIENCE_FACTOR * usual_s))


def askable(bench: Bench) -> tuple[Setup, Sample]:
    """A setup, and a request that works there: the caller's, else the probe's. Raises Untestable without either."""
    if bench.sample_or_none is None and Claim.SCRIPTS in bench.claims:
        return bench.probe_setup(), PROBE_SAMPLE
    return bench.setup, bench.sample


def own_model(bench: Bench) -> tuple[Setup, Sample | None]:
    """A setup whose model folder may be changed, and a request for it: a copy of the caller's, else the probe's."""
    if bench.options.model_dir is None:
        return bench.probe_setup(), PROBE_SAMPLE
    return replace(bench.setup, model_dir=bench.model_copy()), bench.sample_or_none
