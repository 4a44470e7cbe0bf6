"""train_local.sh, with the restrictions that serve_local.sh shares, and predict.sh against a small real server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.unit.shell import LOCAL_TEST_DIR, Shell

Job = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def job(shell: Shell, tmp_path: Path) -> Job:
    """job(ARGUMENT..., VARIABLE=...) runs train_local.sh on a folder with an input."""
    (shell.docker / "images").write_text("app")
    (tmp_path / "ml" / "input").mkdir(parents=True)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return shell.run(LOCAL_TEST_DIR / "train_local.sh", "app", *arguments, TEST_DIR=f"{tmp_path}/ml", **environment)

    return run


def test_training_runs_with_the_platforms_restrictions(job: Job, shell: Shell, tmp_path: Path) -> None:
    assert job().returncode == 0
    (call,) = shell.calls("docker", "run")
    words = ("--network none", "--memory 2g --memory-swap 2g", "--cpus 2", f"--user {os.getuid()}:{os.getgid()}")
    words += ("--cap-drop ALL", "--security-opt no-new-privileges", "--read-only", f"-v {tmp_path}/ml:/opt/ml")
    assert [word for word in words if word not in call] == []
    assert call.endswith(f"-v {tmp_path}/ml/input:/opt/ml/input:ro app train")


def test_each_restriction_is_relaxed_by_its_variable(job: Job, shell: Shell) -> None:
    job(NETWORK="bridge", MEMORY="4g", CPUS="0.5", RUN_AS="0", WRITABLE_ROOT="1", DOCKER_ARGS="-e A=1")
    (call,) = shell.calls("docker", "run")
    words = ("--network bridge", "--memory 4g --memory-swap 4g", "--cpus 0.5", "--user 0 ", "-e A=1")
    assert [word for word in words if word not in call] == []
    assert "--read-only" not in call


def test_arguments_after_two_dashes_reach_docker_run_as_they_are(job: Job, shell: Shell) -> None:
    job("--", "-e", "TEXT=two words")
    assert "-e TEXT=two words app train" in shell.calls("docker", "run")[0]


def test_arguments_without_two_dashes_are_refused(job: Job, shell: Shell) -> None:
    done = job("-e", "A=1")
    assert (done.returncode, shell.calls("docker", "run")) == (1, [])
    assert "arguments for docker run go after --" in done.stderr


def test_cpus_are_never_more_than_the_engine_has(job: Job, shell: Shell) -> None:
    """docker refuses them."""
    (shell.docker / "cpus").write_text("1")
    job()
    assert "--cpus 1 " in shell.calls("docker", "run")[0]


def test_in_a_rootless_engine_you_are_root(job: Job, shell: Shell) -> None:
    """Any other user there may not write to your files."""
    (shell.docker / "security").write_text("[name=seccomp name=rootless]")
    job()
    assert "--user 0:0 " in shell.calls("docker", "run")[0]


def test_exit_code_of_the_job_is_the_scripts(job: Job, shell: Shell) -> None:
    (shell.docker / "code").write_text("3")
    done = job()
    assert (done.returncode, done.stdout) == (3, "the job's log\n")


def test_missing_input_is_named(job: Job, tmp_path: Path) -> None:
    (tmp_path / "ml" / "input").rmdir()
    done = job()
    assert done.returncode == 1
    assert f"there is no {tmp_path}/ml/input with config/ and data/; set TEST_DIR" in done.stderr


class Echo(BaseHTTPRequestHandler):
    """Answers with the request's own headers and body; 422 for a body of `bad`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(422 if body == b"bad" else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        names = ("Content-Type", "Content-Encoding", "Accept")
        lines = [f"{name}: {self.headers[name]}" for name in names if self.headers[name]]
        self.wfile.write("\n".join([self.path, *lines, body.hex()]).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, name="echo")
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def predict(shell: Shell, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return shell.run(LOCAL_TEST_DIR / "predict.sh", *arguments, **environment)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.csv", "text/csv"), ("a.json", "application/json"), ("a.jsonl", "application/jsonlines"), ("a", "text/csv")],
)
def test_content_type_is_told_from_the_name(
    name: str, content_type: str, shell: Shell, port: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"1\r\n\xff")
    done = predict(shell, tmp_path / name, PORT=port)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["/invocations", f"Content-Type: {content_type}", "Accept: */*", "310d0aff"]
    assert done.stderr.startswith("HTTP 200, text/plain; charset=utf-8, ")


def test_given_content_type_and_accept_are_sent(shell: Shell, port: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    done = predict(shell, tmp_path / "a.csv", "text/x", PORT=port, ACCEPT="text/y")
    assert done.stdout.splitlines()[1:3] == ["Content-Type: text/x", "Accept: text/y"]


def test_gz_is_sent_as_gzip_of_what_is_inside(shell: Shell, port: str, tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").touch()
    done = predict(shell, tmp_path / "a.json.gz", PORT=port)
    assert done.stdout.splitlines()[1:3] == ["Content-Type: application/json", "Content-Encoding: gzip"]


def test_error_answer_is_shown_and_is_exit_code_1(shell: Shell, port: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"bad")
    done = predict(shell, tmp_path / "a.csv", PORT=port)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, b"bad".hex())
    assert done.stderr.startswith("HTTP 422, ")


def test_no_server_is_exit_code_7_and_says_how_to_start_one(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    done = predict(shell, tmp_path / "a.csv", URL="http://127.0.0.1:9")
    assert done.returncode == 7
    assert "no server answers at http://127.0.0.1:9; start one: local_test/serve_local.sh IMAGE" in done.stderr


def test_missing_payload_is_named(shell: Shell) -> None:
    done = predict(shell, "no/such.csv")
    assert (done.returncode, done.stderr) == (2, "predict.sh: there is no file no/such.csv\n")
