"""However a run is stopped, nothing of it stays: containers, networks, folders."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.conformance.command import SAMPLE_OPTIONS, conformance, left_by, start, wait_until

PINGS = ("--only", "PNG-01,PNG-03,PNG-07")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_signal_removes_all_that_was_started(
    number: signal.Signals, status: int, twin_image: str, payload: Path
) -> None:
    process = start(twin_image, *SAMPLE_OPTIONS, payload, "--only", "PNG-06")
    try:
        wait_until(lambda: len(left_by(process.pid)) >= 2, 30, "a container and its network are there")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, stdout) == (status, ""), stderr
    assert f"stopped by {number.name}" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert left_by(process.pid) == []


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0])
def test_ctrl_c_at_any_moment_leaves_nothing(after_s: float, twin_image: str, payload: Path) -> None:
    process = start(twin_image, *SAMPLE_OPTIONS, payload, "--only", "PNG-02,PNG-04,PNG-05")
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    early = {130, -signal.SIGINT, 1}  # 1: Python itself still started
    assert process.returncode in (early if after_s < 1 else {130, 0}), stderr
    assert process.returncode != 1 or "KeyboardInterrupt" in stderr
    assert "Traceback" not in stderr or after_s < 1
    assert left_by(process.pid) == []


def test_a_second_ctrl_c_does_not_keep_it_from_cleaning_up(twin_image: str, payload: Path) -> None:
    process = start(twin_image, *SAMPLE_OPTIONS, payload, "--only", "PNG-02")
    wait_until(lambda: left_by(process.pid), 30, "something is there")
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert left_by(process.pid) == []


def test_the_next_run_removes_what_a_killed_one_has_left(twin_image: str, payload: Path) -> None:
    killed = start(twin_image, *SAMPLE_OPTIONS, payload, "--only", "PNG-06")
    wait_until(lambda: len(left_by(killed.pid)) >= 2, 30, "a container and its network are there")
    lives = start(twin_image, *SAMPLE_OPTIONS, payload, "--only", "PNG-06")
    wait_until(lambda: len(left_by(lives.pid)) >= 2, 30, "another run has its own")
    killed.kill()
    killed.communicate()
    assert left_by(killed.pid)
    assert conformance(twin_image, *SAMPLE_OPTIONS, payload, *PINGS).status == 0
    assert left_by(killed.pid) == []
    assert len(left_by(lives.pid)) >= 2
    lives.terminate()
    lives.communicate(timeout=60)


def test_nothing_is_written_but_where_told(twin_image: str, payload: Path, tmp_path: Path) -> None:
    """Temporary folders are gone, too."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    assert conformance(twin_image, *SAMPLE_OPTIONS, payload, *PINGS, TMPDIR=str(temporary)).status == 0
    assert list(temporary.iterdir()) == []
