"""The log: one JSON object a line, whatever is logged, whoever logs it and wherever stdout goes."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container import logs

ROOT = Path(__file__).parents[2]
Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Configures the log as a process of ours does; gives what it wrote, parsed."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # configure sets it; put back at the end
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    logs.configure(logging.INFO)
    return lambda: [json.loads(line) for line in written.getvalue().decode().split("\n")[:-1]]


def test_a_line_has_time_level_logger_event_and_pid_then_the_data(lines: Read) -> None:
    logging.getLogger("container.x").info("batch", extra={"rows": 32, "wait_ms": 4.5})
    (line,) = lines()
    assert list(line) == ["time", "level", "logger", "event", "pid", "rows", "wait_ms"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "logger": "container.x", "event": "batch", "pid": os.getpid(), "rows": 32, "wait_ms": 4.5,
    }  # fmt: skip


def test_the_short_way_writes_the_line_that_logging_would(lines: Read) -> None:
    log, fields = logging.getLogger("container.x"), {"request_id": "abc", "status": 200, "path": Path("/a"), "ms": 0.5}
    log.info("request", extra=fields)
    logs.info(log, "request", fields)
    long, short = lines()
    assert list(long) == list(short)
    assert {**long, "time": ""} == {**short, "time": ""}


def test_the_short_way_obeys_the_level_and_other_handlers(lines: Read) -> None:
    log, seen = logging.getLogger("container.x"), []
    logging.root.setLevel(logging.WARNING)
    logs.info(log, "request", {})
    logging.root.setLevel(logging.INFO)
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logging.root.addHandler(handler)
    logs.info(log, "request", {"status": 200})
    assert [record.status for record in seen] == [200]
    assert [line["status"] for line in lines()] == [200]


def test_the_time_is_utc_in_milliseconds() -> None:
    record = logging.makeLogRecord({"created": 1700000000.0419, "msg": "x"})
    assert logs.JsonFormatter().fields(record)["time"] == "2023-11-14T22:13:20.041Z"


def test_the_request_id_of_the_moment_is_in_every_line(lines: Read) -> None:
    token = logs.request_id.set("abc")
    logging.getLogger("user.code").warning("inside")
    logs.request_id.reset(token)
    logging.getLogger("user.code").warning("after")
    assert [line.get("request_id") for line in lines()] == ["abc", None]


def test_a_traceback_is_a_field_of_one_line(lines: Read) -> None:
    try:
        raise KeyError("weights")
    except KeyError:
        logging.getLogger("x").exception("failed")
    (line,) = lines()
    assert line["exception"] == "KeyError"
    assert "\n" in line["traceback"]
    assert line["traceback"].rstrip().endswith("KeyError: 'weights'")


def test_a_huge_traceback_keeps_its_innermost_end(lines: Read) -> None:
    try:
        raise ValueError("x" * 100_000 + "end")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (line,) = lines()
    assert len(line["traceback"]) == logs.TRACEBACK_LIMIT_CHARS
    assert line["traceback"].rstrip().endswith("end")


def test_an_event_of_several_lines_stays_one(lines: Read) -> None:
    logging.getLogger("user.code").info("one\ntwo\r\nthree\u2028four %s", "a\nb")
    assert [line["event"] for line in lines()] == ["one\ntwo\r\nthree\u2028four a\nb"]


@pytest.mark.parametrize("value", [Path("/opt"), {1, 2}, b"bytes", object(), ValueError("no")])
def test_what_json_does_not_know_is_told_as_text(lines: Read, value: object) -> None:
    logging.getLogger("x").info("odd", extra={"value": value})
    assert lines()[0]["value"] == str(value)


def test_a_level_below_the_setting_is_silent(lines: Read) -> None:
    logging.getLogger("x").debug("no")
    logging.getLogger("x").info("yes")
    assert [line["event"] for line in lines()] == ["yes"]


def run(code: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    program = f"import logging; from container import logs; logs.configure(20); log = logging.getLogger('x'); {code}"
    environment = {"PYTHONPATH": str(ROOT), **environ}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)


def test_a_python_warning_is_a_log_line() -> None:
    done = run("import warnings; warnings.warn('old pickle', FutureWarning)")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["event"], line["category"], line["level"]) == ("old pickle", "FutureWarning", "warning")
    assert (line["where"], done.stderr) == ("<string>:1", b"")


def test_configuring_twice_does_not_write_twice() -> None:
    assert len(run("logs.configure(20); log.info('once')").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "environ", [{}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii:strict"}, {"PYTHONIOENCODING": "latin-1"}], ids=str
)
def test_any_text_is_a_line_of_utf_8_whatever_the_locale(environ: dict[str, str]) -> None:
    """A container has no locale; a file name may hold bytes that are no text, which Python keeps as lone surrogates."""
    done = run(r"log.info('é…\ud800', extra={'file': b'\xff.bin'.decode('utf-8', 'surrogateescape')})", **environ)
    assert done.stderr == b""
    line = json.loads(done.stdout.decode())
    assert (line["event"], line["file"]) == ("é…\ud800", "\udcff.bin")


def test_a_reader_that_is_gone_ends_no_one() -> None:
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); log.info('to no one'); os._exit(7)"
    done = run(code)
    assert (done.returncode, done.stderr) == (7, b"")


def test_lines_of_many_threads_do_not_mix() -> None:
    done = run(
        "import threading\n"
        "def shout(): [log.info('line', extra={'text': 'x' * 500}) for _ in range(200)]\n"
        "threads = [threading.Thread(target=shout) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]"
    )
    texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert texts == ["x" * 500] * 1600
