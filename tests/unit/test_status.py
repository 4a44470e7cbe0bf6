"""What workers report, and when the supervisor takes them for ready; the two files that nginx looks at."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from container import status
from container.errors import StartupError
from container.status import Readiness, WorkerBoard

STALE_S = 10.0


@pytest.fixture
def reports(tmp_path: Path) -> Iterator[socket.socket]:
    receiver = status.open_socket(tmp_path)
    yield receiver
    receiver.close()


@pytest.fixture
def board() -> WorkerBoard:
    return WorkerBoard(stale_s=STALE_S)


def say(board: WorkerBoard, pid: int, *states: str, now_s: float = 0.0, memory_bytes: int = 0) -> None:
    for state in states:
        board.take({"pid": pid, "state": state, "memory_bytes": memory_bytes}, now_s)


def test_reports_arrive_whole_and_in_order(tmp_path: Path, reports: socket.socket) -> None:
    status.report(tmp_path, "loading")
    status.report(tmp_path, "ready", memory_bytes=5)
    status.report(tmp_path, "gone", pid=77)
    me = os.getpid()
    assert status.receive(reports) == [
        {"pid": me, "state": "loading"},
        {"pid": me, "state": "ready", "memory_bytes": 5},
        {"pid": 77, "state": "gone"},
    ]
    assert status.receive(reports) == []


def test_a_report_without_a_supervisor_goes_nowhere(tmp_path: Path) -> None:
    status.report(tmp_path, "ready")


def test_a_report_never_waits_for_a_busy_supervisor(tmp_path: Path, reports: socket.socket) -> None:
    for _ in range(5000):  # more than the socket holds
        status.report(tmp_path, "alive")
    assert 0 < len(status.receive(reports)) < 5000


@pytest.mark.parametrize("junk", [b"", b"not json", b"5", b"null", b"{}", b'{"pid":1}', b"\xff\xfe", b"[" * 60_000])
def test_junk_on_the_socket_is_logged_and_dropped(tmp_path: Path, reports: socket.socket, junk: bytes) -> None:
    """Whoever runs as the same user can write to it; PID 1 must not end of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(junk, str(tmp_path / status.SOCKET_NAME))
    status.report(tmp_path, "ready")
    assert [each["state"] for each in status.receive(reports)] == ["ready"]


@pytest.mark.parametrize("letter", ["x", "ü", "\n"])
def test_the_longest_failure_arrives(tmp_path: Path, reports: socket.socket, letter: str) -> None:
    """A message may list a whole model folder; a datagram has a limit."""
    status.report(tmp_path, "failed", failure=status.failure_fields("load", letter * 1_000_000))
    (told,) = status.receive(reports)
    assert told["failure"]["phase"] == "load"
    assert told["failure"]["detail"].startswith(letter * 1000)


def test_a_run_folder_too_deep_for_a_socket_says_which_setting_to_change(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="SERVING_RUN_DIR"):
        status.open_socket(tmp_path / ("x" * status.PATH_LIMIT_BYTES))


def test_only_an_empty_folder_or_one_of_a_killed_server_may_be_cleared(tmp_path: Path) -> None:
    assert status.is_ours(tmp_path / "nowhere")
    assert status.is_ours(tmp_path)
    (tmp_path / "thesis.tex").touch()
    assert not status.is_ours(tmp_path)
    status.open_socket(tmp_path).close()
    assert status.is_ours(tmp_path)


def test_a_failure_tells_exception_file_and_line_of_its_cause() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        fields = status.failure_fields("load", "cannot", error)
        line = error.__traceback__.tb_lineno if error.__traceback__ else 0
    assert fields["exception"] == "JSONDecodeError"
    assert fields["file"] == f"{__file__}:{line}"
    assert (fields["phase"], fields["detail"], fields["memory_mb"] > 0) == ("load", "cannot", True)


def test_a_syntax_error_is_placed_where_it_is_written() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("x = 1\ny = (", "predictor.py", "exec")
    assert status.place(caught.value) == "predictor.py:2"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert status.place(ValueError()) == ""


def test_a_worker_is_ready_when_it_says_so_and_not_before(board: WorkerBoard) -> None:
    say(board, 1, "loading", "alive")
    assert board.ready(0) == []
    say(board, 1, "ready")
    assert len(board.ready(0)) == 1


@pytest.mark.parametrize("state", ["stopping", "failed", "gone", "loading"])
def test_a_ready_worker_that_says_otherwise_is_not_ready(board: WorkerBoard, state: str) -> None:
    say(board, 1, "ready", state)
    assert board.ready(0) == []


def test_a_silent_worker_is_not_ready_until_it_is_heard_again(board: WorkerBoard) -> None:
    say(board, 1, "ready")
    assert len(board.ready(STALE_S)) == 1
    assert board.ready(STALE_S + 0.1) == []
    say(board, 1, "alive", now_s=STALE_S + 1)
    assert len(board.ready(STALE_S + 1)) == 1


def test_a_heartbeat_of_a_worker_that_is_gone_revives_no_one(board: WorkerBoard) -> None:
    """A datagram may be read after the news of the death."""
    say(board, 1, "ready", "gone", "alive")
    assert board.ready(0) == []


def test_workers_that_end_before_they_were_ready_are_counted_in_a_row(board: WorkerBoard) -> None:
    say(board, 1, "loading", "gone")
    say(board, 2, "failed", "gone")
    assert board.failed_loads == 2
    say(board, 3, "loading", "ready")
    assert board.failed_loads == 0


def test_the_end_of_a_worker_that_was_ready_is_no_failed_load(board: WorkerBoard) -> None:
    say(board, 1, "loading", "ready", "gone")
    say(board, 2, "loading", "ready", "stopping", "gone")
    say(board, 3, "gone")
    assert board.failed_loads == 0


def test_the_memory_of_the_largest_worker_counts(board: WorkerBoard) -> None:
    assert board.memory_bytes() == 0
    say(board, 1, "ready", memory_bytes=5)
    say(board, 2, "ready", memory_bytes=9)
    assert board.memory_bytes() == 9


def test_the_files_follow_loading_then_ready_then_not(tmp_path: Path) -> None:
    def files() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    readiness = Readiness(tmp_path)
    assert files() == ["loading"]
    readiness.loaded()
    assert files() == ["ready"]
    readiness.set(False)
    assert files() == []
    readiness.set(True)
    assert files() == ["ready"]


def test_only_a_change_of_readiness_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    readiness = Readiness(tmp_path)
    for ready in (False, True, True, False, False):
        readiness.set(ready)
    assert [record.getMessage() for record in caplog.records] == ["ready", "not_ready"]
