"""Children of the supervisor: their process group, their exit codes, how often one may be restarted."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator

import pytest

from container.children import RESTART_WINDOW_S, RESTARTS, Child, exit_code


@pytest.fixture
def sleeper() -> Iterator[Child]:
    """A program that starts another of its kind and waits for ever; its standard error tells the other's pid."""
    code = (
        "import subprocess, sys, time; other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(other.pid, file=sys.stderr, flush=True); time.sleep(60)"
    )
    child = Child("sleeper", [sys.executable, "-c", code], os.environ, pipe_stderr=True)
    child.start()
    process, pid = child.process, child.pid
    assert process is not None
    assert pid is not None
    yield child
    child.send_group(signal.SIGKILL, pid)
    process.wait(10)
    if process.stderr:
        process.stderr.close()


def read_pid(child: Child) -> int:
    assert child.stderr is not None
    return int(child.stderr.readline())


def test_a_child_leads_a_process_group_that_holds_what_it_starts(sleeper: Child) -> None:
    """So that no signal of a terminal reaches it past the supervisor, and nothing it starts is out of reach."""
    grandchild = read_pid(sleeper)
    assert os.getpgid(grandchild) == sleeper.pid != os.getpgid(0)


def test_a_signal_to_the_group_reaches_what_is_left_of_a_dead_child(sleeper: Child) -> None:
    grandchild, pid, process = read_pid(sleeper), sleeper.pid, sleeper.process
    assert process is not None
    assert pid is not None
    sleeper.send(signal.SIGKILL)
    assert exit_code(os.waitpid(pid, 0)[1]) == 137
    process.returncode = -9
    handle = os.pidfd_open(grandchild)
    sleeper.send_group(signal.SIGKILL, pid)
    assert select.select([handle], [], [], 10)[0] == [handle], "a pidfd is readable when its process has ended"
    os.close(handle)


def test_arguments_of_a_start_follow_those_of_the_command() -> None:
    child = Child(
        "echo", [sys.executable, "-c", "import sys; sys.stderr.write(' '.join(sys.argv[1:]))"], os.environ, True
    )
    child.start("--workers", "3")
    assert child.process is not None
    _, told = child.process.communicate(timeout=10)
    assert told == b"--workers 3"


def test_a_signal_to_a_child_that_is_gone_is_no_error(sleeper: Child) -> None:
    pid = sleeper.pid
    assert pid is not None
    sleeper.send_group(signal.SIGKILL, pid)
    sleeper.reaped(exit_code(os.waitpid(pid, 0)[1]))
    assert sleeper.pid is None
    sleeper.send(signal.SIGTERM)
    sleeper.send_group(signal.SIGTERM, pid)


def test_three_restarts_are_allowed_within_the_window_and_not_a_fourth() -> None:
    child = Child("any", [], {})
    assert [child.may_restart(float(now_s)) for now_s in range(RESTARTS + 1)] == [True] * RESTARTS + [False]


def test_deaths_that_lie_longer_ago_than_the_window_do_not_count() -> None:
    child = Child("any", [], {})
    assert all(child.may_restart(each * RESTART_WINDOW_S / RESTARTS) for each in range(20))


@pytest.mark.parametrize(("code", "told"), [("raise SystemExit(0)", 0), ("raise SystemExit(3)", 3)])
def test_an_exit_is_told_by_its_code(code: str, told: int) -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    assert exit_code(os.waitpid(pid, 0)[1]) == told


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_death_by_signal_is_told_as_a_shell_does(signum: signal.Signals) -> None:
    code = f"import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.kill(os.getpid(), {signum})"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    assert exit_code(os.waitpid(pid, 0)[1]) == 128 + signum
