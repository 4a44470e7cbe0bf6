"""Runs the checker's command in a process of its own, as a user does, and looks at what it leaves. Used by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_test.conformance.engine import OWNER
from tests.dockerfile import ROOT
from tests.image.container import docker

SAMPLE_OPTIONS = ("--content-type", "text/csv", "--payload")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    pid: int
    status: int
    stdout: str
    stderr: str
    seconds: float
    peak_mb: float = 0.0

    @property
    def report(self) -> dict[str, Any]:
        """What --output json printed."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    def outcomes(self) -> dict[str, str]:
        return {each["id"]: each["outcome"] for each in self.report["results"]}


def conformance(*words: object, limit_s: float = 120, **environment: str) -> Done:
    """The command with these options, ended for good after limit_s (AssertionError)."""
    process = start(*words, **environment)
    began_s, peak_mb = time.monotonic(), 0.0
    while True:
        try:
            stdout, stderr = process.communicate(timeout=0.1)
            return Done(process.pid, process.returncode, stdout, stderr, time.monotonic() - began_s, peak_mb)
        except subprocess.TimeoutExpired:
            peak_mb = max(peak_mb, resident_mb(process.pid))
        if time.monotonic() - began_s > limit_s:
            process.kill()
            stdout, stderr = process.communicate()
            raise AssertionError(f"not done within {limit_s:g} s: {stdout}{stderr}")


def start(*words: object, **environment: str) -> subprocess.Popen[str]:
    """The command, running, without a terminal."""
    command = [sys.executable, "-m", "local_test.conformance", *map(str, words)]
    plain = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")}
    return subprocess.Popen(
        command, cwd=ROOT, env={**plain, **environment}, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=as_from_a_terminal,
    )  # fmt: skip


def as_from_a_terminal() -> None:
    """Hear the signals that nohup, or a job in the background, has told the tests to ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGHUP else signal.default_int_handler)


def resident_mb(pid: int) -> float:
    """The greatest memory of a process so far; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def left_by(pid: int) -> list[str]:
    """Containers and networks that a process with this number has made, and that are still there."""
    owned = ("--filter", f"label={OWNER}", "--format", f'{{{{.ID}}}} {{{{.Label "{OWNER}"}}}}')
    lines = (docker("ps", "-a", *owned) + docker("network", "ls", *owned)).splitlines()
    return [line for line in lines if line.split("/")[-2:-1] == [str(pid)]]


def wait_until(condition: Callable[[], object], limit_s: float, what: str) -> None:
    """Wait for a condition; AssertionError after limit_s."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)
