"""TRN-08 to TRN-14: how else the platform may run `train`, and what else becomes of it. The first half: training."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench, manifest_sample
from local_test.conformance.engine import Engine
from local_test.conformance.pipes import Feeder
from local_test.conformance.server import Server
from local_test.conformance.trained import bears, limit_s, trained
from local_test.conformance.training import Finished, Job, Plan

GROUP = Group(claim=Claim.TRAINING)

HOSTS = ("algo-1", "algo-2")
METRICS_LABEL = "sagemaker-conformance.metrics"
"""MetricDefinitions as CreateTrainingJob has them: [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]."""

AT_ONCE_S = 0.005  # lines that came together left a buffer; a program that prints each by itself is not as quick
MANY = 3
PLACES = re.compile(r"/(tmp|opt/ml)(/|$)")
NAMED_IN_THE_JOB = "ContainerEntrypoint replaces the image's own entry point, and no `train` is passed."


@GROUP.should(
    "TRN-08", "A channel in Pipe mode is read from the FIFO NAME_0, and in the next epoch from NAME_1.",
    source="DG:train", slow=True, otherwise="The job hangs in its second epoch until its time is over.",
    fix="Open the FIFO of each epoch once, counting from 0.",
)  # fmt: skip
def pipes_are_read(bench: Bench) -> str:
    usual = trained(bench).plan
    if not bench.options.channels or sys.platform != "linux":
        raise Untestable("needs --channel NAME=FOLDER, and an engine on this Linux: a FIFO is passed into it")
    job = Job(bench, replace(usual, piped=True))
    feeders = [Feeder(job.data, name, source) for name, source in bench.options.channels.items()]
    with ExitStack() as feeding, job.start() as server:
        for feeder in feeders:
            feeding.enter_context(feeder)
        seen = how_it_ended(job, server, limit_s(bench))
    opened = ", ".join(f"{each.channel}_{epoch}" for each in feeders for epoch in range(each.epochs))
    if not opened:
        raise NotApplicable("it opens no FIFO: it has to be given File mode")
    expect(isinstance(seen, Finished) and seen.trained, f"it opened {opened}, then {seen}")
    return f"it opened {opened[:200]}"


def how_it_ended(job: Job, server: Server, limit_s: float) -> Finished | Broken:
    try:
        return job.finish(server, limit_s)
    except Broken as error:
        return error


@GROUP.should(
    "TRN-09", "Of two hosts, both end with 0, and the first one alone leaves a model.",
    source="inf DG:train", slow=True,
    otherwise="Each host's /opt/ml/model goes into one archive: files of the same name overwrite each other.",
    fix="Read current_host and hosts from resourceconfig.json; save the model on the first of the hosts only.",
)  # fmt: skip
def first_host_writes(bench: Bench) -> None:
    usual = trained(bench).plan
    engine = bench.subject.image().engine
    jobs = [Job(bench, replace(usual, hosts=HOSTS, host=host, network="internal")) for host in HOSTS]
    with ExitStack() as running:
        servers = [running.enter_context(job.start(**on_network(engine, job.plan))) for job in jobs]
        first, second = (job.finish(server, 2 * limit_s(bench)) for job, server in zip(jobs, servers, strict=True))
    expect(first.trained, f"{HOSTS[0]}, the first of two hosts: {first}")
    expect(second.code == 0, f"{HOSTS[1]}, the second of two hosts: {second}")
    expect(not second.model_files, f"the second host left {', '.join(second.model_files[:5])} in /opt/ml/model")


def on_network(engine: Engine, plan: Plan) -> dict[str, Any]:
    """Arguments of docker-py by which the hosts find each other by name."""
    name = engine.network(internal=True)
    return {
        "hostname": plan.host,
        "networking_config": {name: engine.client.api.create_endpoint_config(aliases=[plan.host])},
    }


@GROUP.should(
    "TRN-10", "Each metric definition finds a number in what is printed, and lines leave when they are printed.",
    source="API", otherwise="The metric has no graph; tuning and early stopping see nothing, or see it too late.",
    fix="Print lines that the expressions match, and flush each: PYTHONUNBUFFERED=1.",
)  # fmt: skip
def metrics_are_found(bench: Bench) -> str:
    finished = trained(bench).finished
    wanted = bench.options.metrics or of_label(bench.subject.labels)
    if not wanted:
        raise Untestable(f"needs metric definitions: --metric NAME=REGEX, or the label {METRICS_LABEL}")
    values = {name: found(name, regex, finished.log) for name, regex in wanted.items()}
    times_s = [time_s for time_s, line in finished.lines if any(re.search(each, line) for each in wanted.values())]
    at_once = len(times_s) >= MANY and max(times_s) - min(times_s) < AT_ONCE_S
    expect(not at_once, f"all {len(times_s)} lines with metrics left at once, so they were buffered until the end")
    return ", ".join(f"{name}: {each[-1]}" for name, each in values.items())


def found(name: str, regex: str, log: str) -> list[float]:
    """The values of a metric in a log. Raises Broken."""
    try:
        values = [match[1] for match in re.finditer(regex, log)]
        numbers = [float(value) for value in values]
    except (re.error, IndexError) as error:
        raise Broken(f"the expression of {name} is not one with a group: {regex} ({error})") from error
    except (ValueError, TypeError):
        raise Broken(f"{regex} finds what is no number for {name}: {', '.join(map(str, values))[:200]}") from None
    expect(numbers, f"nothing that was printed matches {regex}, the expression of {name}")
    return numbers


def of_label(labels: Mapping[str, str]) -> dict[str, str]:
    """Metric definitions that the image brings. Raises Broken."""
    try:
        return {each["Name"]: each["Regex"] for each in json.loads(labels.get(METRICS_LABEL, "[]"))}
    except (ValueError, TypeError, KeyError) as error:
        raise Broken(f"the label {METRICS_LABEL} is no list of objects with Name and Regex: {error!r}") from error


@GROUP.should(
    "TRN-11", "It writes to /opt/ml/model, output and checkpoints, to /tmp, and nowhere else.",
    source="inf DG:train", otherwise="What is written elsewhere is lost, or fills the small root disk.",
    fix="Write to those folders; set HOME and cache folders to /tmp.",
)  # fmt: skip
def writes_nowhere_else(bench: Bench) -> None:
    base = trained(bench)
    outside = [path for path in leaves(base.finished.changes) if not PLACES.match(path)]
    written = [*outside, *base.new_files]
    expect(not written, f"it wrote {', '.join(written[:5])}{' and more' if len(written) > 5 else ''}")


def leaves(paths: tuple[str, ...]) -> list[str]:
    """Without the folders that are listed for what is in them."""
    folders = {path.rpartition("/")[0] for path in paths}
    return [path for path in paths if path not in folders]


@GROUP.should(
    "TRN-12", "It trains as `docker run --entrypoint train`, without a word: a program of that name is on PATH.",
    source="DG:train", slow=True, otherwise=f"A job with an entry point of its own fails: {NAMED_IN_THE_JOB}",
    fix="Put an executable train on PATH that needs no argument.",
)  # fmt: skip
def entry_point_may_be_named(bench: Bench) -> None:
    job = Job(bench, trained(bench).plan)
    with job.start(command=(), entrypoint=("train",)) as server:
        finished = job.finish(server, limit_s(bench))
    expect(finished.trained, str(finished))


@GROUP.should(
    "TRN-13", "What it trained is served by the same image.",
    source="convention", pains=(10, 11),
    otherwise="The endpoint of each trained model fails, long after its job was Completed.",
    fix="Save with the versions that serve, and what serving needs beside the model.",
)  # fmt: skip
def result_is_served(bench: Bench) -> str:
    model = trained(bench).finished.folder / "model"
    sample = manifest_sample(model) or bench.sample_or_none
    with bench.run(bench.change(model_dir=model), needs_server=False) as server:
        if sample is None:
            return "/ping is 200; no request is known that could be tried: --payload FILE --content-type TYPE"
        answer = server.invoke(sample.body, sample.content_type)
    expect(answer.status == 200, f"the sample request was answered {answer}")
    return str(answer)


@GROUP.should(
    "TRN-14", "It trains without a network.",
    source="DG:net", pains=(44,), otherwise="A job with EnableNetworkIsolation, or in a VPC without a way out, fails.",
    fix="Install packages and models when the image is built.",
)  # fmt: skip
def trains_without_network(bench: Bench) -> None:
    bears(bench, network="none")
