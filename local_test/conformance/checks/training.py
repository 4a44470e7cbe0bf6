"""TRN-01 to TRN-07: `train` in a container, what it is given, how it ends, how it goes on. The rest: training_modes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from local_test.conformance.assertion import Claim, Group, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server
from local_test.conformance.trained import bears, first_run, limit_s, trained
from local_test.conformance.training import FAILURE_SHOWN_CHARACTERS, Finished, Job, is_plain_file, run

GROUP = Group(claim=Claim.TRAINING)

STOP_LIMIT_S = 120.0
KILLED = 137
LATEST_SHARE = 0.75  # of the usual time: later, training may be over
BAD_VALUE = "conformance"
UNREAD_NS = 10**18  # a time in 2001, older than any change: the next read is noted
NO_REASON = "The job's FailureReason is empty, or the bare exit code: the log must be searched."


@GROUP.must(
    "TRN-01", "Run with `train`, it ends with exit code 0 and leaves the model in /opt/ml/model.",
    source="DG:train", otherwise="The job is Failed, or Completed with an empty model.tar.gz.",
    fix="Let the image know the word train; write the model to /opt/ml/model, and exit with 0.",
)  # fmt: skip
def trains(bench: Bench) -> str:
    finished = first_run(bench).finished
    bench.time("training", finished.seconds)
    return f"{', '.join(finished.model_files[:5])} in {finished.seconds:.1f} s"


@GROUP.must(
    "TRN-02", "A bad hyperparameter ends it with another exit code, and the reason is at the head of output/failure.",
    source="DG:train", otherwise=NO_REASON,
    fix="Check hyperparameters first; on an error write what is wrong to /opt/ml/output/failure, and exit with 1.",
)  # fmt: skip
def bad_hyperparameter_is_told(bench: Bench) -> str:
    name = numeric(bench.options.hyperparameters) or BAD_VALUE
    given = {**bench.options.hyperparameters, name: BAD_VALUE}
    finished = run(bench, replace(trained(bench).plan, hyperparameters=given), limit_s(bench))
    if finished.code == 0 and name == BAD_VALUE:
        raise Untestable("needs a hyperparameter that is a number: --hyperparameter NAME=5")
    expect(finished.code, f"it ended with exit code 0 for {name}={BAD_VALUE}")
    head = finished.failure[:FAILURE_SHOWN_CHARACTERS]
    expect(head.strip(), f"it ended with exit code {finished.code}, and /opt/ml/output/failure is empty or missing")
    expect(name in head or BAD_VALUE in head, f"the head of output/failure does not name {name}: {head[:200]!r}")
    return head.strip().splitlines()[0][:200]


def numeric(hyperparameters: Mapping[str, str]) -> str:
    """The name of one that is a number, so that a word instead is wrong; empty if there is none."""
    return next((name for name, value in hyperparameters.items() if _is_number(value)), "")


@GROUP.must(
    "TRN-03", "Hyperparameters are strings, numbers and truth values too: \"5\", \"true\".",
    source="DG:train", otherwise="The job fails at the first number, though it went well outside of the platform.",
    fix="Convert each value of hyperparameters.json from its string.",
)  # fmt: skip
def hyperparameters_are_strings(bench: Bench) -> str:
    given = bench.options.hyperparameters
    if not given:
        raise Untestable("needs hyperparameters that training reads: --hyperparameter NAME=VALUE")
    bears(bench, typed=False)
    return ", ".join(f'{name}="{value}"' for name, value in given.items())[:200]


@GROUP.should(
    "TRN-04", "Without hyperparameters and channels it trains, or fails with the reason in output/failure.",
    source="convention", otherwise=NO_REASON, slow=True, fix="Bear missing configuration, or name what is missing.",
)  # fmt: skip
def missing_configuration_is_borne(bench: Bench) -> None:
    deadline_s, usual = limit_s(bench), trained(bench).plan
    empty = Job(bench, replace(usual, hyperparameters={}, channels={}))
    missing = Job(bench, replace(usual, hyperparameters={}, without=("hyperparameters.json",)))
    with empty.start() as first, missing.start() as second:
        ends = {
            "with {} as hyperparameters and no channel": empty.finish(first, deadline_s),
            "without hyperparameters.json": missing.finish(second, deadline_s),
        }
    for what, finished in ends.items():
        told = finished.code == 0 or finished.failure.strip()
        expect(told, f"{what}, exit code {finished.code}, and no reason in output/failure")


@GROUP.must(
    "TRN-05", "It ends within 120 s of SIGTERM, and an end with exit code 0 leaves a model.",
    source="DG:train; saving inf", slow=True,
    otherwise="It is killed: what was learnt until the stop, or until a spot instance was taken back, is lost.",
    fix="Let process 1 handle SIGTERM: save the model, or leave what is saved, and exit. A shell must exec.",
)  # fmt: skip
def stops_in_time(bench: Bench) -> str:
    base = trained(bench)
    job = Job(bench, base.plan)
    with job.start() as server:
        wait_until_busy(server, base.finished)
        if server.ended() is not None:
            raise Untestable("training is over before it can be stopped: give more data, or more epochs")
        handles = handles_sigterm(server)
        end = server.stop(max(1.0, bench.paced(STOP_LIMIT_S)))
        finished = Finished(end.code, end.seconds, job.folder, server.log())
    expect(end.code != KILLED, f"it still ran {end.seconds:.0f} s after SIGTERM, and had to be killed")
    expect(handles is not False, "its first process has no handler for SIGTERM: a longer training would be killed")
    expect(finished.code or finished.model_files, f"stopped after {end.seconds:.1f} s: {finished}")
    kept = "a model is kept" if finished.model_files else "no model is kept"
    return f"exit code {end.code} after {end.seconds:.1f} s, {kept}"


def wait_until_busy(server: Server, usual: Finished) -> None:
    """Until it has printed a line and handles SIGTERM; at most three quarters of the usual time."""
    end_s = server.started_s + LATEST_SHARE * usual.seconds
    while time.monotonic() < end_s and server.ended() is None:
        if (server.log() or not usual.log) and handles_sigterm(server) is not False:
            return
        time.sleep(0.02)


def handles_sigterm(server: Server) -> bool | None:
    """Whether its first process does, since for that one the default is to ignore it. None: it cannot be seen here."""
    try:
        lines = Path(f"/proc/{getattr(server, 'pid', 0)}/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    if fields.get("NSpid", "").split()[-1:] != ["1"]:
        return None  # the engine runs on another machine: this is some process of ours
    caught = int(fields["SigCgt"], 16) | int(fields["SigBlk"], 16)  # blocked: sigwait or a signalfd takes it
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@GROUP.should(
    "TRN-06", "A second run reads the first one's files in /opt/ml/checkpoints.",
    source="DG:model-checkpoints", slow=True,
    otherwise="After a spot interruption it starts anew, and what was paid for is lost.",
    fix="Look into /opt/ml/checkpoints first; save there by writing another name and renaming.",
)  # fmt: skip
def goes_on(bench: Bench) -> str:
    base = trained(bench)
    left = base.finished.folder / "checkpoints"
    if not any(map(is_plain_file, left.rglob("*"))):
        raise NotApplicable("it writes nothing to /opt/ml/checkpoints")
    try:
        job = Job(bench, replace(base.plan, checkpoints=left))
    except (shutil.Error, PermissionError) as error:
        raise Untestable("its checkpoints can be read by its own user alone: run it again with sudo") from error
    watched = Watched(job.folder / "checkpoints", bench.folder())
    with job.start() as server:
        finished = job.finish(server, limit_s(bench))
    expect(finished.trained, f"with the first run's checkpoints {finished}")
    expect(watched.read() is not False, f"it read none of {', '.join(watched.names)}: it starts anew")
    return f"with {', '.join(watched.names[:5])}"


class Watched:
    """Files of which the kernel notes whether they are read, kept under another name in case they are replaced."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if is_plain_file(path))
        self._links = [aside / str(number) for number in range(len(self.names))]
        self._control = aside / "control"
        self._control.write_text("x")
        for name, link in zip(self.names, self._links, strict=True):
            os.link(folder / name, link)
        for path in (*self._links, self._control):
            os.utime(path, ns=(UNREAD_NS, path.stat().st_mtime_ns))

    def read(self) -> bool | None:
        """Whether any was; None where the file system does not note it."""
        self._control.read_text()
        if self._control.stat().st_atime_ns == UNREAD_NS:
            return None
        return any(link.stat().st_atime_ns != UNREAD_NS for link in self._links)


@GROUP.should(
    "TRN-07", "Channels may be read-only.",
    source="inf DG:train", otherwise="It fails in FastFile mode, where channels are a read-only mount.",
    fix="Write caches and unpacked data to /tmp.",
)  # fmt: skip
def channels_may_be_read_only(bench: Bench) -> None:
    trained(bench)
    if not bench.options.channels:
        raise NotApplicable("it trained without a channel")
    bears(bench, writable=False)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
