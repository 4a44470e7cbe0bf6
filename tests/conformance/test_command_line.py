"""The command as its users meet it: exit status, what goes to stdout and what to stderr, and what needs no image."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conformance.command import SAMPLE_OPTIONS, Done, conformance, left_by
from tests.dockerfile import ROOT

# without an engine


@pytest.mark.parametrize(
    "words", [["--memory", "x", "a"], ["--only", "NOPE", "a"], ["--only", "PNG", "--skip", "PNG", "a"]]
)
def test_what_cannot_begin_is_one_line_on_stderr_and_status_2(words: list[str]) -> None:
    done = conformance(*words)
    assert (done.status, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert done.stderr.startswith("conformance: ")


def test_without_an_engine_it_says_what_to_do() -> None:
    done = conformance("image", DOCKER_HOST="unix:///nope/docker.sock")
    assert (done.status, len(done.stderr.splitlines())) == (2, 1)
    assert "start it, or test without: --project . or --url URL" in done.stderr


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    """An interpreter that finds no package, by path from another folder."""
    command = [sys.executable, "-S", "-E", str(ROOT / "local_test" / "conformance"), "image"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    requirements = ROOT / "local_test" / "conformance" / "requirements.txt"
    assert done.returncode == 2
    assert re.fullmatch(
        rf"conformance: the package \w+ is missing: \S+ -m pip install -r {re.escape(str(requirements))}\n", done.stderr
    )


def test_it_runs_by_path_from_another_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "local_test" / "conformance"), "--explain", "PNG-04"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_list_shows_each_assertion_with_its_level() -> None:
    done = conformance("--list", "--only", "PNG")
    assert done.status == 0
    assert re.findall(r"^  (\S+) +([MSI])  \S", done.stdout, re.MULTILINE)[:2] == [("PNG-01", "M"), ("PNG-02", "M")]


def test_explain_tells_all_of_an_assertion() -> None:
    done = conformance("--explain", "png-04")
    text = " ".join(done.stdout.split())
    for part in (
        "PNG-04 A connection is accepted within 250 ms", "M: the platform relies on it",
        "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
        "taken out of service and replaced", "Accept connections outside of what predicts",
        "16. The health check starves", "local_test/conformance/checks/ping.py, line", "def accepted_within_250_ms",
    ):  # fmt: skip
        assert part in text
    assert max(len(line) for line in done.stdout.split("  local_test/")[0].splitlines() if "http" not in line) <= 80


def test_explain_says_what_it_does_not_know() -> None:
    done = conformance("--explain", "PNG-99")
    assert (done.status, done.stderr) == (2, "conformance: PNG-99: no group or id of that name; --list shows them\n")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m local_test.conformance --list | true"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_server_elsewhere_is_asked_by_url() -> None:
    done = conformance("--url", "http://127.0.0.1:9", "--only", "PNG", "--output", "json", "--start-limit", 1)
    assert done.status == 1
    assert done.outcomes()["PNG-01"] == "failed"


def test_a_folder_without_serve_is_no_project(tmp_path: Path) -> None:
    done = conformance("--project", tmp_path)
    assert (done.status, done.stderr) == (2, f"conformance: {tmp_path} has no file named serve\n")


# on the twin


def run_png(image: str, payload: Path, *words: object, fault: str = "", **more: str) -> Done:
    """The quick pings on the twin."""
    chosen = ("--only", "PNG-01,PNG-03,PNG-07", "--env", f"FAULT={fault}")
    return conformance(image, *SAMPLE_OPTIONS, payload, *chosen, *words, **more)


def test_an_image_that_is_not_here_is_said_to_be(twin_image: str) -> None:
    done = conformance("conformance-twin:never")
    expected = (
        "conformance: there is no image conformance-twin:never here; build it, or: docker pull conformance-twin:never\n"
    )
    assert (done.status, done.stderr) == (2, expected)


@pytest.mark.parametrize(
    ("fault", "words", "status"),
    [("", [], 0), ("PNG-01", [], 1), ("PNG-03", [], 0), ("PNG-03", ["--strict"], 1), ("", ["--strict"], 0)],
)
def test_the_status_tells_whether_every_m_holds(
    fault: str, words: list[str], status: int, twin_image: str, payload: Path
) -> None:
    done = run_png(twin_image, payload, *words, "--start-limit", 3, fault=fault)
    assert done.status == status, done.stdout + done.stderr
    assert left_by(done.pid) == []


def test_stdout_has_the_report_and_stderr_a_line_a_group(twin_image: str, payload: Path) -> None:
    done = run_png(twin_image, payload, "--output", "junit")
    assert ET.fromstring(done.stdout).get("tests") == "3"  # noqa: S314 - ours
    begin, group = done.stderr.splitlines()
    assert begin == "conformance: starting it, to find out what it is for"
    assert re.fullmatch(r"conformance: PNG GET /ping: 3 held \(\d+\.\d s\)", group)


def test_a_file_gets_the_format_and_stdout_the_text(twin_image: str, payload: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run_png(twin_image, payload, "--output-file", page)
    assert page.read_text().startswith("<!doctype html>")
    assert done.stdout.splitlines()[-1] == f"{twin_image} keeps the contract: all 1 M that were tested hold."
    assert done.stderr.splitlines()[-1] == f"conformance: html report: {page}"


def test_a_terminal_gets_a_live_line_and_colour(twin_image: str, payload: Path) -> None:
    """The line is gone when the report comes."""
    controller, terminal = pty.openpty()
    words = [twin_image, *SAMPLE_OPTIONS, str(payload), "--only", "PNG-01,PNG-05", "--env", "FAULT=PNG-05"]
    command = [sys.executable, "-m", "local_test.conformance", *words]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=terminal, stderr=terminal)
    os.close(terminal)
    text = everything(controller)
    assert process.wait() == 1
    assert "PNG-05" in text.split("tested 2")[0]
    assert "1/2" in text.split("tested 2")[0]
    assert "\x1b[1;31m" in text
    assert "conformance: PNG" not in text


def everything(controller: int) -> str:
    """What was written to a terminal, until its last writer has closed it."""
    data = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:  # Linux says so at the end
            piece = b""
        if not piece:
            os.close(controller)
            return data.decode()
        data += piece
