"""Progress: one line renewed on a terminal, a line a change elsewhere; results alone on stdout."""

from __future__ import annotations

import sys

import pytest

from deploy.errors import DeployError
from deploy.terminal import Terminal, clock


def test_line_is_renewed_on_a_terminal_with_time_and_what_is_usual(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    terminal = Terminal()
    terminal.progress("endpoint/churn", "Creating", 65, "3 to 10 min")
    terminal.say("done")
    assert capsys.readouterr().err == "\r\033[K  endpoint/churn: Creating, 1:05 of usually 3 to 10 min\ndone\n"


def test_line_is_written_once_a_state_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for elapsed_s, status in enumerate(["Creating", "Creating", "Creating", "InService"]):
        terminal.progress("endpoint/churn", status, elapsed_s, "")
    assert capsys.readouterr().err.splitlines() == [
        "  endpoint/churn: Creating, 0:00",
        "  endpoint/churn: InService, 0:03",
    ]


def test_line_of_a_long_wait_is_repeated_each_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    for now in (100.0, 130.0, 161.0):
        monkeypatch.setattr("deploy.terminal.time.monotonic", lambda now=now: now)
        terminal.progress("endpoint/churn", "Creating", now, "")
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_error_has_its_log_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().failed(DeployError("it broke", "mend it", ("last words",)))
    assert capsys.readouterr() == ("", "error: it broke\n  | last words\nnext: mend it\n")


def test_nobody_says_yes_where_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert not Terminal().asked("Remove?")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3600, "60:00")])
def test_clock_is_a_stopwatch(seconds: float, text: str) -> None:
    assert clock(seconds) == text
