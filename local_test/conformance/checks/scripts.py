"""SCR: scripts made for managed containers, code/inference.py in the model folder. Those used here: probe/scripts."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Group, Untestable, expect
from local_test.conformance.bench import PROBE_DIR, Bench, open_to_all
from local_test.conformance.server import Server, Setup, json_of
from local_test.conformance.wire import Answer, NoAnswer

GROUP = Group(claim=Claim.SCRIPTS)

JSON = "application/json"
OWN_TYPE = "text/x-conformance"
BODY_TYPES = {JSON: (b"[]", "str"), "text/csv": (b"1,2\n", "str"), "application/octet-stream": (b"\x00\xff", "bytes")}
HELPER = 'WORD = "found"\n'
STATUS = 422
REQUESTS = 20
STEPS, STARTED_IN = "steps", "seconds until steps served"
WORKERS = 3
TIMEOUT_S = 2
CUT_WITHIN_S = 20.0  # of the timeout: a watchdog may look now and then only
SPREAD_LIMIT_S = 15.0
MOVED = "A script that runs in the managed containers does not run here"


def scripts_setup(bench: Bench, name: str) -> Setup:
    """A server of one of probe/scripts."""
    return Setup(model_dir=bench.script_dir(script(name)))


def script(name: str) -> str:
    return (PROBE_DIR / "scripts" / f"{name}.py").read_text()


def steps(bench: Bench) -> Server:
    """The shared server whose script tells how it was called. Raises Untestable."""
    if STEPS not in bench.kept:
        bench.kept[STEPS] = steps_setup(bench)
    began_s = time.monotonic()
    server = bench.shared(STEPS, bench.kept[STEPS])
    bench.kept.setdefault(STARTED_IN, time.monotonic() - began_s)
    return server


def steps_setup(bench: Bench) -> Setup:
    """With a module beside the script."""
    folder = bench.script_dir(script("steps"))
    (folder / "code" / "conformance_helper.py").write_text(HELPER)
    return Setup(model_dir=open_to_all(folder))


def told(answer: Answer) -> dict[str, Any]:
    """What the script says of the call. Raises Broken."""
    if answer.status != 200:
        raise Broken(f"the script's answer did not come: {answer}")
    found = json_of(answer)
    if not isinstance(found, dict):
        raise Broken(f"the answer is not the script's own: {answer}")
    return found


@GROUP.must(
    "SCR-01",
    "model_fn, input_fn, predict_fn and output_fn are called in this order; transform_fn replaces the last three.",
    source="IT", otherwise=f"{MOVED}.", pains=(5,),
    fix="Call each with what the one before returned; where transform_fn is, call it with the body instead.",
)  # fmt: skip
def functions_are_called_in_order(bench: Bench) -> None:
    try:
        found = told(steps(bench).invoke({}))
    except Untestable as reason:
        raise Broken(f"with the four functions {reason}") from reason
    wanted = {"steps": ["input_fn", "predict_fn", "output_fn"], "model": "model_fn"}
    seen = {name: found.get(name) for name in wanted}
    expect(seen == wanted, f"the functions were called as {seen}, not {wanted}")
    with bench.run(scripts_setup(bench, "transform")) as server:
        answer = server.invoke(b"1,2", "text/csv")
    expect(answer.body.strip() == b"model 3", f"transform_fn alone was answered {answer}")


@GROUP.must(
    "SCR-02", "Each function may take a context as its last argument, or do without.",
    source="IT", otherwise=f"{MOVED}: a function gets one argument too many, or too few.", pains=(32,),
    fix="Look at each function's signature once, at start, and pass a context where there is room for it.",
)  # fmt: skip
def both_arities_work(bench: Bench) -> None:
    told(steps(bench).invoke({}))
    with bench.run(scripts_setup(bench, "context")) as server:
        answer = server.invoke(b"1,2", "text/csv")
    expect(answer.body.strip() == b"3 model", f"functions that take a context were answered {answer}")


@GROUP.must(
    "SCR-03", "transform_fn beside input_fn, predict_fn or output_fn is an error, at start or in the first call.",
    source="IT", otherwise="One of them is never called, and nobody is told which.",
    fix="Refuse such a script at start, and name the functions.",
)  # fmt: skip
def contradiction_is_an_error(bench: Bench) -> str:
    steps(bench)
    limit_s = 3 * float(bench.kept[STARTED_IN]) + bench.paced(10)
    with bench.run(scripts_setup(bench, "both"), ready=False) as server:
        while not server.is_ready():
            if (end := server.ended()) is not None:
                return f"it ended with exit code {end.code}. {server.last_words()}"
            if time.monotonic() - server.started_s > limit_s:
                return f"/ping was not 200 within {limit_s:.0f} s"
            time.sleep(0.05)
        answer = server.invoke(b"1,2", "text/csv")
    expect(answer.status >= 400, f"it was answered {answer}")
    return f"the first call was answered {answer}"


@GROUP.should(
    "SCR-04", "What output_fn returns beside the body, as (body, content_type), is the answer's Content-Type.",
    source="IT", otherwise="The client gets the body under another type, and decodes it wrongly.",
    fix="Where output_fn returns a tuple, take the second part as Content-Type.",
)  # fmt: skip
def tuple_has_the_type(bench: Bench) -> None:
    answer = steps(bench).invoke({}, headers={"Accept": JSON})
    told(answer)
    expect(answer.media_type == OWN_TYPE, f"Content-Type is {answer.media_type!r}; output_fn returned {OWN_TYPE!r}")


@GROUP.should(
    "SCR-05", "JSON and CSV reach input_fn as str, any other type as bytes.",
    source="IT", otherwise=f"{MOVED}: it fails on body.decode, or on splitting bytes at a str.", pains=(58,),
    fix="Decode application/json and text/csv before input_fn is called, and nothing else.",
)  # fmt: skip
def bodies_have_their_types(bench: Bench) -> None:
    server = steps(bench)
    for content_type, (body, wanted) in BODY_TYPES.items():
        seen = told(server.invoke(body, content_type)).get("body")
        expect(seen == wanted, f"{content_type} reached input_fn as {seen}, not {wanted}")


@GROUP.should(
    "SCR-06", "An exception of the script is a 500, unless it has a status of its own: that one is kept.",
    source="IT", otherwise="The client cannot tell a bad request, which it must not repeat, from a server's fault.",
    fix="Answer 500 to an exception; where it has status_code, answer that.", pains=(3,),
)  # fmt: skip
def exceptions_have_their_status(bench: Bench) -> None:
    server = steps(bench)
    plain, own = server.invoke({"raise": 0}), server.invoke({"raise": STATUS})
    expect(plain.status == 500, f"a KeyError was answered {plain}")
    expect(own.status == STATUS, f"an error with status_code {STATUS} was answered {own}")


@GROUP.should(
    "SCR-07", "SAGEMAKER_PROGRAM names the script, and SAGEMAKER_SUBMIT_DIRECTORY its folder.",
    source="IT, SC", otherwise="Another script serves than the one that was deployed, or none.", pains=(5,),
    fix="Read both variables before code/inference.py is looked for.",
)  # fmt: skip
def script_may_be_named(bench: Bench) -> None:
    folder = bench.script_dir(script("which"))
    (folder / "elsewhere").mkdir()
    for place in ("code/entry.py", "elsewhere/entry.py"):
        (folder / place).write_text(script("which"))
    env = {"SAGEMAKER_PROGRAM": "entry.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/elsewhere"}
    with bench.run(Setup(model_dir=open_to_all(folder), env=env)) as server:
        answer = server.invoke(b"1,2", "text/csv")
    seen = answer.body.decode("utf-8", "replace").strip()
    by_name = "its folder is not" if seen == "code/entry.py" else "neither variable is"
    expect(seen == "elsewhere/entry.py", f"elsewhere/entry.py was named, {by_name} obeyed: {answer}")


@GROUP.should(
    "SCR-08", "A module beside the script can be imported.",
    source="IT", otherwise="The script fails on an import that works on its author's machine.", pains=(5, 11),
    fix="Put the script's folder on sys.path before it is imported.",
)  # fmt: skip
def neighbours_are_found(bench: Bench) -> None:
    seen = told(steps(bench).invoke({})).get("helper")
    expect(seen == "found", f"import conformance_helper, which lies beside the script: {seen}")


@GROUP.should(
    "SCR-09", "model_fn is called once in a worker, not in each request.",
    source="IT", otherwise="Each request waits for the model to be loaded anew.", pains=(2, 50),
    fix="Call model_fn before /ping is 200, and keep what it returns.",
)  # fmt: skip
def model_is_loaded_once(bench: Bench) -> str:
    server = steps(bench)
    found = [told(server.invoke({})) for _ in range(REQUESTS)]
    most = max(int(each.get("loads", 0)) for each in found)
    expect(most == 1, f"after {REQUESTS} requests a worker has called model_fn {most} times")
    return f"{len({each.get('pid') for each in found})} of its workers were asked"


@GROUP.should(
    "SCR-10",
    "SAGEMAKER_MODEL_SERVER_WORKERS is the number of workers, SAGEMAKER_MODEL_SERVER_TIMEOUT cuts longer calls.",
    source="IT, SC", pains=(4, 9), slow=True,
    otherwise="Memory and time cannot be set for the model: it is killed for its memory, or runs on for nobody.",
    fix="Start as many processes as the variable says; end a call that takes longer than the other one allows.",
)  # fmt: skip
def workers_and_timeout_are_obeyed(bench: Bench) -> str:
    env = {
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(WORKERS),
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": str(TIMEOUT_S),
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": str(TIMEOUT_S),
    }
    with bench.run(replace(steps_setup(bench), env=env)) as server:
        pids = processes_that_answer(server, max(3.0, bench.paced(SPREAD_LIMIT_S)))
        expect(len(pids) == WORKERS, f"{len(pids)} processes answered; {WORKERS} workers were asked for")
        cut_s = cut_after_s(server, TIMEOUT_S + max(2.0, bench.paced(CUT_WITHIN_S)))
    return f"{WORKERS} workers; a call was cut after {cut_s:.1f} s, where {TIMEOUT_S} s were allowed"


def processes_that_answer(server: Server, limit_s: float) -> set[int]:
    """Process ids in answers, until as many as wanted were seen; and those of one round more."""
    pids: set[int] = set()
    end_s = time.monotonic() + limit_s
    with ThreadPoolExecutor(4 * WORKERS) as clients:
        while True:
            enough = len(pids) >= WORKERS or time.monotonic() > end_s
            answers = clients.map(lambda _: server.invoke({"sleep": 0.05}), range(4 * WORKERS))
            pids |= {int(told(answer)["pid"]) for answer in answers}
            if enough:
                return pids


def cut_after_s(server: Server, limit_s: float) -> float:
    """Seconds until a call that would take much longer has ended without success. Raises Broken."""
    began_s = time.monotonic()
    try:
        answer = server.invoke({"sleep": 3 * limit_s}, timeout_s=limit_s)
        expect(answer.status >= 400, f"a call of {3 * limit_s:.0f} s was answered {answer}")
    except NoAnswer as error:
        if (waited_s := time.monotonic() - began_s) >= limit_s:
            raise Broken(f"a call went on for {waited_s:.1f} s; {TIMEOUT_S} s were allowed") from error
    return time.monotonic() - began_s
