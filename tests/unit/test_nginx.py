"""nginx.conf filled from the settings, nginx found, its port checked, its log lines told as ours."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
from pathlib import Path

import pytest

from container import nginx
from container.errors import StartupError
from container.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(run_dir=tmp_path, port=8123, timeout_s=20.0, max_body_mb=7)


def test_the_shipped_template_is_filled_without_a_rest(settings: Settings) -> None:
    conf = nginx.render(nginx.TEMPLATE.read_text(), nginx.variables(settings, cpus=2, workers=2))
    assert re.findall(r"\$\{[A-Z]", conf) == []
    for line in ("listen 8123 ", "worker_processes 2;", f"client_max_body_size {7 * 1024 * 1024};", "19000ms"):
        assert line in conf


def test_nginx_accepts_the_filled_template(settings: Settings) -> None:
    """`nginx -t` opens no port."""
    command = nginx.command(settings, cpus=1, workers=1)
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert [line for line in checked.stderr.splitlines() if "[" in line] == []


def test_everything_that_nginx_writes_lies_in_the_run_folder(settings: Settings) -> None:
    conf = nginx.render(nginx.TEMPLATE.read_text(), nginx.variables(settings, cpus=1, workers=1))
    written = re.findall(r"^\s*(?:pid|\w+_temp_path)\s+(\S+);", conf, re.MULTILINE)
    assert len(written) == 6
    assert [path for path in written if not path.startswith(str(settings.run_dir))] == []


def test_an_unknown_name_in_the_template_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(StartupError, match=r"uses \$\{TYPO\}; it may use \$\{PORT\}, \$\{RUN_DIR\}"):
        nginx.render("${PORT} ${RUN_DIR} ${TYPO}", {"PORT": "1", "RUN_DIR": "/run"})


def test_a_value_that_the_template_drops_is_an_error() -> None:
    """Else a setting would have no effect and no one would know."""
    with pytest.raises(StartupError, match=r"must use \$\{PORT\}"):
        nginx.render("listen 8080;", {"PORT": "1"})


def test_nginx_own_variables_are_left_alone() -> None:
    assert nginx.render("$host ${msec} ${PORT}", {"PORT": "1"}) == "$host ${msec} 1"


def test_no_more_than_four_nginx_workers_start(settings: Settings) -> None:
    assert nginx.variables(settings, cpus=64, workers=64)["NGINX_WORKERS"] == "4"


def test_nginx_is_found_by_the_setting_first(tmp_path: Path) -> None:
    program = tmp_path / "my-nginx"
    program.touch(mode=0o755)
    assert nginx.find_nginx(Settings(nginx=str(program))) == str(program)


@pytest.mark.parametrize("mode", [0o644, None], ids=["not executable", "missing"])
def test_a_missing_nginx_is_named_with_how_to_get_one(tmp_path: Path, mode: int | None) -> None:
    program = tmp_path / "my-nginx"
    if mode is not None:
        program.touch(mode=mode)
    with pytest.raises(StartupError, match=r"my-nginx is not installed.*apt-get install.*SERVING_NGINX") as caught:
        nginx.find_nginx(Settings(nginx=str(program)))
    assert caught.value.phase == "nginx"


def test_a_port_that_another_listens_on_is_named() -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=rf"port {port}: Address already in use.*SAGEMAKER_BIND_TO_PORT"):
            nginx.check_port(Settings(port=port))
    nginx.check_port(Settings(port=port))


def access_line(**more: object) -> str:
    fields = {"msec": 1700000000.123, "request_id": "abc", "status": 413, "method": "POST", "path": "/invocations",
              "bytes_in": 99, "bytes_out": 10, "total_s": 0.012}  # fmt: skip
    return json.dumps(fields | more)


def test_an_access_line_becomes_a_request_event_in_the_shape_of_the_apps(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    nginx.log_line(access_line())
    (record,) = caplog.records
    assert record.getMessage() == "request"
    told = {name: value for name, value in vars(record).items() if name not in vars(logging.makeLogRecord({}))}
    assert told.items() >= {"request_id": "abc", "status": 413, "request": "POST /invocations",
                            "bytes_in": 99, "bytes_out": 10, "total_ms": 12.0}.items()  # fmt: skip
    assert not told.keys() & {"msec", "method", "path", "total_s"}


def test_a_request_that_nginx_could_not_read_has_no_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    nginx.log_line(access_line(status=400, method="", path=""))
    assert vars(caplog.records[0])["request"] == ""


@pytest.mark.parametrize(
    ("status", "level"), [(200, logging.INFO), (302, logging.INFO), (413, logging.WARNING), (503, logging.ERROR)]
)
def test_an_access_line_has_the_level_of_its_status(caplog: pytest.LogCaptureFixture, status: int, level: int) -> None:
    """The answers of a predictor's own Flask app are logged here, good ones too: they are no warning."""
    caplog.set_level(logging.INFO)
    nginx.log_line(access_line(status=status))
    assert caplog.records[0].levelno == level


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        ("2026/01/02 03:04:05 [emerg] 7#7: no port", logging.CRITICAL, "no port"),
        ("2026/01/02 03:04:05 [emerg] 7#7: initgroups(root, 0) failed", logging.INFO, "initgroups(root, 0) failed"),
        ("2026/01/02 03:04:05 [alert] 7#7: worker died", logging.CRITICAL, "worker died"),
        ("2026/01/02 03:04:05 [error] 7#7: *31 connect() failed", logging.ERROR, "connect() failed"),
        ("2026/01/02 03:04:05 [warn] 7#7: odd", logging.WARNING, "odd"),
        ("what a library prints", logging.INFO, "what a library prints"),
        ('{"msec":1700000000.1,"request_id":"cut', logging.INFO, '{"msec":1700000000.1,"request_id":"cut'),
    ],
)
def test_an_error_line_keeps_its_level_and_its_text(
    caplog: pytest.LogCaptureFixture, line: str, level: int, text: str
) -> None:
    caplog.set_level(logging.INFO)
    assert nginx.log_line(line) == text
    (record,) = caplog.records
    assert (record.levelno, record.getMessage(), vars(record)["text"]) == (level, "nginx", text)


@pytest.mark.parametrize("line", ["5", "null", "[]", '"text"', '{"status":"x"}', "{}", '{"msec":1,"total_s":"a"}'])
def test_no_line_ends_the_supervisor(caplog: pytest.LogCaptureFixture, line: str) -> None:
    """It reads nginx's log in its only loop."""
    nginx.log_line(line)
