"""LOC: the SDK's local mode."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from local_test.conformance.assertion import Group, NotApplicable, expect
from local_test.conformance.bench import Bench, open_to_all
from local_test.conformance.compose import Compose
from local_test.conformance.server import Server, json_of
from local_test.conformance.wire import NoAnswer

GROUP = Group()

START_LIMIT_S = 120.0
LEAST_LIMIT_S = 30.0  # compose itself takes seconds on a busy machine
PING_LIMIT_S = 30.0  # local mode knows no limit of 2 s
POLL_S = 0.1
EARLY_LIMIT_S = 10.0
SCRIPT = Path("code", "inference.py")
SCRIPT_ENV = {"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "SAGEMAKER_PROGRAM": SCRIPT.name}
LOCAL = {"MultiRecord", "SingleRecord"}
DOCUMENTED = {"MULTI_RECORD", "SINGLE_RECORD"}


@GROUP.should(
    "LOC-01", "It starts as the SDK's local mode starts it: by compose, on a terminal, with a model it may write to.",
    source="SDK2", otherwise="A deployment with the instance type local is given up after two minutes.", pains=(29,),
    fix="Depend neither on a model folder that is read-only nor on there being no terminal.",
)  # fmt: skip
def starts_in_local_mode(bench: Bench) -> str:
    image = bench.subject.image()
    bench.server()
    with Compose(image, local_model(bench), bench.folder()) as server:
        ready_s = wait_ready(server, max(LEAST_LIMIT_S, bench.paced(START_LIMIT_S)))
    return f"ready after {ready_s:.1f} s, with compose's own start"


def local_model(bench: Bench) -> Path:
    """What is mounted: a copy, for it may be written to."""
    return open_to_all(bench.folder()) if bench.options.model_dir is None else bench.model_copy()


def wait_ready(server: Server, limit_s: float, meanwhile: Callable[[], object] = lambda: None) -> float:
    """Seconds until the first 200 on /ping. Raises Broken if it ends, or none comes. meanwhile: done before each."""
    meanwhile()
    while not pings(server):
        waited_s = time.monotonic() - server.started_s
        expect(server.ended() is None, f"it ended before /ping was 200. {server.last_words()}")
        expect(waited_s < limit_s, f"/ping was not 200 within {limit_s:g} s. {server.last_words()}")
        time.sleep(POLL_S)
        meanwhile()
    return time.monotonic() - server.started_s


def pings(server: Server) -> bool:
    try:
        return server.ping(PING_LIMIT_S).status == 200
    except NoAnswer:
        return False


@GROUP.should(
    "LOC-02", "Asked for predictions from its start on, it answers the first one after /ping was 200.",
    source="SDK3 serve", otherwise="ModelBuilder's local mode, which waits for a prediction, waits in vain.",
    fix="Refuse requests with 503 until the model is loaded, and let /ping be 200 only then.", pains=(17, 29),
)  # fmt: skip
def first_prediction_follows_ping(bench: Bench) -> str:
    sample, model_dir = bench.sample, local_model(bench)
    env = SCRIPT_ENV if (model_dir / SCRIPT).is_file() else {}
    setup = replace(bench.setup, model_dir=model_dir, writable_model=True, env=env)
    with bench.run(setup, ready=False) as server:

        def ask_early() -> None:
            with suppress(NoAnswer):
                server.invoke(sample.body, sample.content_type, timeout_s=EARLY_LIMIT_S)

        ready_s = wait_ready(server, bench.options.start_limit_s, ask_early)
        answer = server.invoke(sample.body, sample.content_type)
    expect(answer.status == 200, f"/ping was 200 after {ready_s:.1f} s, and the next prediction was answered {answer}")
    return f"ready after {ready_s:.1f} s, then answered in {answer.seconds:.2f} s"


@GROUP.informative(
    "LOC-03", "Its batch strategy is known: to batch transform as MULTI_RECORD, to local mode as MultiRecord.",
    source="SDK2", otherwise="Local mode's transform ends with a ValueError unless its caller names the strategy.",
    fix="Answer MULTI_RECORD or SINGLE_RECORD, as AWS documents it; in local mode pass strategy to Transformer.",
)  # fmt: skip
def batch_strategy_is_known(bench: Bench) -> str:
    answer = bench.server().request("GET", "/execution-parameters")
    if answer.status != 200:
        raise NotApplicable(f"it has no /execution-parameters: {answer}")
    parameters = json_of(answer)
    strategy = parameters.get("BatchStrategy") if isinstance(parameters, dict) else None
    expect(strategy in LOCAL | DOCUMENTED, f"BatchStrategy is {strategy!r}")
    return f"{strategy}, which local mode {'takes' if strategy in LOCAL else 'does not: its caller has to say'}"
