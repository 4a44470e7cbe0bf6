"""RUN: starts that are repeated or fail, workers that die, variables and limits that it does not expect."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from local_test.conformance.assertion import Broken, Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.processes import kill_workers, most_alike
from local_test.conformance.server import Server, Setup, wait_for
from local_test.conformance.starts import askable, changed, must_answer, must_bear
from local_test.conformance.subjects import Address
from local_test.conformance.wire import NoAnswer

GROUP = Group()

RECOVERY_S, SHORTEST_RECOVERY_S = 30.0, 3.0
BROKEN_MODEL_S, SHORTEST_BROKEN_MODEL_S = 30.0, 3.0
START_S, SERVERLESS_START_S = 480.0, 180.0
CPUS, MEMORY_MB = 1, 4096

STARTS_ANEW = "Fresh containers start at any time, as when an instance is patched or replaced: this one then fails."
NEVER_IN_SERVICE = "The endpoint stays Creating for up to half an hour, then fails: did not pass the ping health check."

PLATFORM_ENVIRONMENT = {
    "SAGEMAKER_SAFE_PORT_RANGE": "23000-23999",
    "SAGEMAKER_REGION": "eu-central-1",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "60",
    "SAGEMAKER_MODEL_SERVER_VMARGS": "-XX:-UseContainerSupport",
    "SAGEMAKER_STARTUP_TIMEOUT": "600",
    "SAGEMAKER_TS_BATCH_SIZE": "1",
    "SAGEMAKER_TS_MAX_BATCH_DELAY": "100",
    "SAGEMAKER_TS_MIN_WORKERS": "1",
    "SAGEMAKER_TS_MAX_WORKERS": "1",
    "SAGEMAKER_TS_RESPONSE_TIMEOUT": "60",
    "SAGEMAKER_USE_NGINX": "true",
    "SAGEMAKER_ENABLE_STATEFUL_SESSIONS": "false",
    "SAGEMAKER_KNOWN_TO_NOBODY": "1",
    "CA_REPOSITORY_ARN": "arn:aws:codeartifact:eu-central-1:111111111111:repository/a/b",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/none",
    "AWS_REGION": "eu-central-1",
}
SCRIPT_ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}
"""What the SDK adds for a model with a script."""


@GROUP.should(
    "RUN-17", "Started again it answers the same: nothing is carried from one start to the next.",
    source="inf DG:host", otherwise=STARTS_ANEW, pains=(37,),
    fix="Remove stale sockets and pid files at the start; keep no state in the container.", slow=True,
)  # fmt: skip
def started_again_it_answers_the_same(bench: Bench) -> None:
    setup, sample = askable(bench)
    shared = bench.probe() if setup.model_dir != bench.setup.model_dir else bench.server()
    usual = answer_of(shared, sample)
    steady = usual == answer_of(shared, sample)  # else it tells the time, or an id
    with bench.run(setup) as server:
        fresh = answer_of(server, sample)
        expect(fresh == usual or not steady, f"a fresh container answered {fresh!r}, another one {usual!r}")
        server.restart()
        try:
            server.wait_ready(bench.options.start_limit_s)
        except Broken as broken:
            raise Broken(f"killed and started again, {broken}") from broken
        again = answer_of(server, sample)
        expect(again == fresh or not steady, f"killed and started again, it answered {again!r} instead of {fresh!r}")


def answer_of(server: Server, sample: Sample) -> bytes:
    """Raises Broken unless it is answered 200."""
    answer = server.invoke(sample.body, sample.content_type)
    expect(answer.status == 200, f"the sample request was answered {answer}")
    return answer.body


@GROUP.should(
    "RUN-18", "With a model that cannot be loaded it ends with an error, or /ping is never 200.",
    source="inf DG:host", otherwise="The endpoint comes into service and fails every request.", pains=(1, 17),
    fix="Load the model before /ping answers 200; if that fails, log why and exit with 1.",
)  # fmt: skip
def broken_model_is_never_200(bench: Bench) -> str:
    bench.server()
    setup, sample = broken_model(bench)
    limit_s = max(SHORTEST_BROKEN_MODEL_S, bench.paced(BROKEN_MODEL_S))
    with bench.run(setup, ready=False) as server:
        while (after_s := time.monotonic() - server.started_s) < limit_s:
            if (end := server.ended()) is not None:
                expect(end.code != 0, "it ended with exit code 0, as if nothing were wrong")
                return f"exit code {end.code} after {after_s:.1f} s"
            expect(not server.is_ready() or serves(server, sample), "/ping is 200")
            time.sleep(0.05)
    return f"not 200 for {limit_s:g} s"


def broken_model(bench: Bench) -> tuple[Setup, Sample | None]:
    """A model folder with the caller's files, all of them rubbish; or a script that raises. And the request for it."""
    if bench.options.model_dir is None:
        return bench.probe_setup(fail=True), None
    folder = bench.folder()
    for path in bench.options.model_dir.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(bench.options.model_dir)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(b"not what it was\n")
    return replace(bench.setup, model_dir=folder), bench.sample_or_none


def serves(server: Server, sample: Sample | None) -> bool:
    """False if it fails its requests. Raises NotApplicable if it can do without its model folder."""
    try:
        if sample is None:
            return False
        must_answer(server, sample)
    except (Broken, NoAnswer):
        return False
    raise NotApplicable("it needs none of the files in its model folder")


@GROUP.should(
    "RUN-19", "Where its workers die, new ones answer, or the container ends.",
    source="MHCS", otherwise="The instance stays, half dead, and fails its requests.", pains=(37,),
    fix="Start dead workers anew; exit where that cannot be done, so that the platform replaces the container.",
)  # fmt: skip
def dead_workers_are_replaced(bench: Bench) -> str:
    setup, sample = askable(bench)
    with bench.run(setup) as server:
        must_answer(server, sample)
        killed = kill_workers(server)
        if not killed:
            return "it is one process: the container ends with it"
        limit_s = max(SHORTEST_RECOVERY_S, bench.paced(RECOVERY_S))
        began_s = time.monotonic()
        late = f"{limit_s:g} s after its {killed} workers were killed it neither answered nor had ended"
        wait_for(lambda: server.ended() is not None or answers(server, sample), limit_s, late)
        what = "ended" if server.ended() else "answered again"
        return f"{what} {time.monotonic() - began_s:.1f} s after {killed} workers were killed"


def answers(server: Server, sample: Sample) -> bool:
    try:
        return server.invoke(sample.body, sample.content_type, timeout_s=SHORTEST_RECOVERY_S).status == 200
    except NoAnswer:
        return False


@GROUP.should(
    "RUN-20", "Variables that it does not know are harmless.",
    source="inf DG:host", otherwise=NEVER_IN_SERVICE, fix="Ignore SAGEMAKER_* variables that mean nothing to you.",
)  # fmt: skip
def unknown_variables_are_harmless(bench: Bench) -> None:
    model_dir = bench.options.model_dir or Path()
    script = SCRIPT_ENVIRONMENT if (model_dir / "code" / "inference.py").is_file() else {}
    must_bear(bench, "with all variables that the platform and its SDK set", env={**PLATFORM_ENVIRONMENT, **script})


@GROUP.should(
    "RUN-21", "Under a limit of CPU and memory it works, with no more workers than CPUs.",
    source="DG:ts", otherwise="Workers of a whole host crowd a part of one: out of memory, or slow.", pains=(9, 18, 19),
    fix="Count CPUs by the cgroup's quota, not by os.cpu_count().",
)  # fmt: skip
def workers_obey_the_limit(bench: Bench) -> str:
    with changed(bench, cpus=CPUS, memory_mb=MEMORY_MB) as server:
        name, count = most_alike(server.workers())
    expect(count <= CPUS, f"{count} processes `{name}` on {CPUS} CPU")
    return f"{count} process `{name}` on {CPUS} CPU"


@GROUP.must(
    "RUN-22", "It is ready within 8 minutes of the start, within 3 if it is for serverless endpoints.",
    source="DG:sls, DG:host", otherwise=NEVER_IN_SERVICE, pains=(2, 42, 51),
    fix="Load less, or faster; real-time endpoints allow an hour by ContainerStartupHealthCheckTimeoutInSeconds.",
)  # fmt: skip
def ready_in_time(bench: Bench) -> str:
    if isinstance(bench.subject, Address):
        raise Untestable("its start was not seen from here")
    limit_s = bench.paced(SERVERLESS_START_S if Claim.SERVERLESS in bench.claims else START_S)
    try:
        ready_s = bench.server().ready_s or 0.0
    except Untestable as reason:
        expect(bench.options.start_limit_s < limit_s or not loads(bench), f"it loads for too long: {reason}")
        raise
    bench.time("start", ready_s)
    expect(ready_s <= limit_s, f"it was ready after {ready_s:.1f} s; the limit is {limit_s:g} s")
    return f"{ready_s:.2f} s"


def loads(bench: Bench) -> bool:
    """Whether a server that does not get ready at least answers /ping."""
    limit_s = max(SHORTEST_RECOVERY_S, bench.paced(RECOVERY_S))
    try:
        with bench.run(ready=False, needs_server=False) as server:
            return wait_for(lambda: speaks(server), limit_s, "it does not answer /ping")
    except Broken:
        return False


def speaks(server: Server) -> bool:
    """Whether it answers /ping, whatever it says. Raises Broken if it has ended."""
    expect(server.ended() is None, "it has ended")
    try:
        server.ping()
    except NoAnswer:
        return False
    return True
