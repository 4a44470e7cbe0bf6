"""A process that is interrupted, ended, or that nobody reads: no traceback, and what it names goes on where it was."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.double import Fault
from tests.deploy.flow.conftest import Cloud, Deploy, interrupted

pytestmark = pytest.mark.usefixtures("file")

PIPE = subprocess.PIPE
LIMIT_S = 60
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(cloud: Cloud, environment: dict[str, str]) -> Iterator[Start]:
    """start("up"): a process of its own, against the double's sockets."""
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[3]), environment["PYTHONPATH"]])
    begun: list[subprocess.Popen[str]] = []

    def run(*words: str, stdout: int = PIPE, stderr: int = PIPE) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "deploy", *words]
        begun.append(
            subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr, text=True, preexec_fn=as_typed)
        )
        return begun[-1]

    yield run
    for each in begun:
        each.kill()
        each.communicate()


def as_typed() -> None:
    """A shell without job control ignores SIGINT for what it runs in the background, pytest and its children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def waits_for(process: subprocess.Popen[str], words: str) -> None:
    """Reads what it says until it says that."""
    assert process.stderr
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"ended without {words}")


def ends(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in err
    return process.returncode, out, err


def go_on(told: str) -> list[str]:
    """The words of the command that the message names."""
    found = re.search(r"go on: `python -m deploy ([^`]+)`", told)
    assert found, told
    return shlex.split(found[1])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_up_that_is_stopped_while_it_waits_leaves_it_running_and_names_the_command_that_goes_on(
    start: Start, deploy: Deploy, cloud: Cloud, number: signal.Signals, code: int
) -> None:
    cloud.double.delays.creating_s = 3600
    process = start("up", "--set", "environment.A=a b", "--output", "json")
    waits_for(process, "endpoint/churn: Creating")
    process.send_signal(number)
    ended, out, _ = ends(process)
    error = json.loads(out)["error"]
    assert (ended, error["reason"]) == (code, "up stopped waiting; what AWS has begun goes on.")
    assert cloud.endpoint()["EndpointStatus"] == "Creating"
    cloud.double.clock = lambda: time.monotonic() + 3600
    assert deploy(*go_on(error["next_step"])).json()["region"] == "eu-west-1"
    assert cloud.running() == ("InService", "a b")
    assert deploy("plan", "--set", "environment.A=a b").code == 0


@pytest.mark.parametrize("where", ["between calls", "in a call"])
def test_up_that_is_interrupted_on_its_way_goes_on_by_the_command_that_it_names(
    start: Start, deploy: Deploy, cloud: Cloud, where: str
) -> None:
    process: list[subprocess.Popen[str]] = []
    if where == "in a call":
        stop = Fault(carried_out=True, action=lambda: process[0].send_signal(signal.SIGINT))
        cloud.double.faults.on("CreateEndpointConfig", stop)
    cloud.double.delays.creating_s = 3600
    process.append(start("up", "--count", "2"))
    if where == "between calls":
        waits_for(process[0], "creating endpoint-config/")
        process[0].send_signal(signal.SIGINT)
    ended, out, err = ends(process[0])
    assert (ended, out) == (130, "")
    assert err.splitlines()[-2] == "error: up stopped waiting; what AWS has begun goes on."
    assert "take it back: `python -m deploy down`" in err
    cloud.double.delays.creating_s = 0  # of the endpoint, where it was not begun
    cloud.double.clock = lambda: time.monotonic() + 3600
    assert deploy(*go_on(err)).out.startswith("churn is up")
    assert deploy("plan", "--count", "2").code == 0


def last_run(deploy: Deploy) -> dict[str, str]:
    return dict(deploy("status", "--output", "json").json()["last_run"] or {})


def test_up_that_finds_nothing_left_to_do_ends_the_one_that_was_interrupted(deploy: Deploy, cloud: Cloud) -> None:
    cloud.double.delays.creating_s = 0.05
    interrupted(deploy, "up", "--set", "environment.A=a b")
    go_on = "python -m deploy up --set 'environment.A=a b'"
    assert f"  `up` was interrupted after endpoint/churn; `{go_on}` goes on\n" in deploy("status").out
    assert deploy("up", "--set", "environment.A=a b").out == "churn: nothing to do\n"
    assert last_run(deploy) == {}


def test_update_that_failed_is_told_as_failed_with_the_command_that_goes_on(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    cloud.double.fail_next("churn", "The container did not pass the ping health check.")
    assert deploy("up", "--set", "environment.A=2").code == 1
    told = last_run(deploy)
    assert (told["end"], told["go_on"]) == ("failed", "python -m deploy up --set environment.A=2")
    assert "did not pass the ping health check" in told["reason"]
    said = deploy("status").out
    assert "`up` failed after endpoint/churn: endpoint/churn is InService, back on churn-" in said
    assert ("interrupted" in said, "not come to its end" in said) == (False, False)
    assert deploy("up").code == 0
    assert last_run(deploy) == {}


def test_down_that_cannot_remove_all_is_told_as_failed(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    cloud.double.faults.on("DeleteModel", Fault())
    assert deploy("down", "--yes").code == 1
    assert "`down` failed after endpoint-config/churn-" in (told := deploy("status").out)
    assert ". `python -m deploy down --yes` goes on\n" in told
    assert deploy("down", "--yes").code == 0
    assert last_run(deploy) == {}


def test_up_that_runs_still_or_was_killed_is_not_called_interrupted(deploy: Deploy, cloud: Cloud) -> None:
    """Nobody can tell these two apart from outside."""
    told: list[str] = []
    cloud.double.faults.on("CreateEndpoint", Fault(carried_out=True, action=lambda: told.append(journal())))

    def journal() -> str:
        return Path(".deploy/churn.json").read_text()

    deploy("up", "--count", "2")
    Path(".deploy/churn.json").write_text(told[0])
    said = deploy("status").out
    assert "`up` has not come to its end after endpoint-config/churn-" in said
    assert ": it runs still, or was killed, and `python -m deploy up --count 2` goes on\n" in said


def test_job_that_was_to_run_again_is_followed_by_the_command_that_goes_on_and_not_run_a_third_time(
    deploy: Deploy, cloud: Cloud
) -> None:
    deploy("up", "batch")
    cloud.double.delays.job_s = 0.05
    interrupted(deploy, "up", "batch", "--again")
    go_on = last_run(deploy)["go_on"]
    assert go_on == "python -m deploy up batch"
    done = deploy(*go_on.split()[3:], "--output", "json").json()
    assert (done["job"][-2:], done["status"], done["done"]) == ("-2", "Completed", [])
    assert last_run(deploy) == {}


@pytest.mark.parametrize(
    ("words", "both"),
    [
        (["keys"], False),
        (["plan", "--offline"], True),
        (["plan", "--nope", "--output", "json"], False),
        (["--help"], False),
        (["plan", "--nope"], True),
    ],
)
def test_closed_pipe_ends_it_without_a_traceback(start: Start, words: list[str], both: bool) -> None:
    """As `| head -1` and `2>&1 | head -1` leave it."""
    with nobody_reads() as pipe:
        process = start(*words, stdout=pipe, stderr=pipe if both else PIPE)
        code, _, err = (process.wait(LIMIT_S), "", "") if both else ends(process)
    assert (code, err) == (1, "")


@contextmanager
def nobody_reads() -> Iterator[int]:
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


def test_closed_stdout_is_no_error(start: Start, environment: dict[str, str]) -> None:
    command = f"{shlex.quote(sys.executable)} -m deploy keys >&-"
    done = subprocess.run(["sh", "-c", command], env=environment, stderr=PIPE, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stderr) == (0, "")
