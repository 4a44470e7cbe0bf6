"""The shell scripts without a Docker engine: their words to the user, and what they ask of docker and the AWS CLI.

tests/image runs them against a real engine and a real registry; tests/programs holds the small programs used here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).absolute().parents[2]
PROGRAMS_DIR = PROJECT_DIR / "tests" / "programs"
LOCAL_TEST_DIR = PROJECT_DIR / "local_test"
SCRIPTS = sorted([*PROJECT_DIR.glob("*.sh"), *LOCAL_TEST_DIR.glob("*.sh"), *PROGRAMS_DIR.iterdir()])
RUN_BY_NAME = [path for path in SCRIPTS if path.name != "platform.sh"]  # which is sourced
DIGEST = "sha256:" + "fedcba9876543210" * 4
ECR = "111111111111.dkr.ecr.eu-central-1.amazonaws.com"


class Shell:
    """Runs a script with only the stand-in programs and the system's tools on PATH."""

    def __init__(self, folder: Path) -> None:
        self.docker, self.aws = folder / "docker", folder / "aws"
        for state in (self.docker, self.aws, folder / "tools"):
            state.mkdir()
        (self.aws / "region").write_text("eu-central-1\n")
        self.path = f"{PROGRAMS_DIR}:{tools_without_docker(folder / 'tools')}"

    def run(self, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        base = {"PATH": self.path, "HOME": "/nonexistent", "FAKE_DOCKER": str(self.docker), "FAKE_AWS": str(self.aws)}
        words = [str(word) for word in command]
        return subprocess.run(words, env=base | environment, capture_output=True, text=True, timeout=60, check=False)

    def build_and_push(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(PROJECT_DIR / "build_and_push.sh", *arguments, **environment)

    def calls(self, program: str, command: str) -> list[str]:
        """What was asked of `docker` or `aws`: the lines that start with the command."""
        path = getattr(self, program) / "calls"
        return [line for line in path.read_text().splitlines() if line.startswith(command)] if path.exists() else []


def tools_without_docker(folder: Path) -> Path:
    """The few programs that the scripts call, so that a real docker or aws beside them is never found."""
    names = ("awk", "bash", "cat", "curl", "dirname", "env", "git", "grep", "id", "mktemp", "rm", "sed", "sleep")
    for name in (*names, "tail", "tee", "mkdir", "touch", "find", "ls"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_has_unix_line_ends(script: Path) -> None:
    assert b"\r" not in script.read_bytes()


@pytest.mark.parametrize("script", RUN_BY_NAME, ids=lambda path: path.name)
def test_script_can_be_run_by_its_name(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_scripts_pass_shellcheck() -> None:
    done = subprocess.run(["shellcheck", "-x", *SCRIPTS], cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["build_and_push.sh", "local_test/train_local.sh", "local_test/serve_local.sh"])
def test_without_docker_a_script_says_so_in_one_line(name: str, shell: Shell, tmp_path: Path) -> None:
    done = shell.run(PROJECT_DIR / name, "sagemaker-x", PATH=str(tmp_path / "tools"))
    assert done.returncode == 1
    assert done.stderr.endswith("docker is not installed: https://docs.docker.com/get-docker/\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["build_and_push.sh", "local_test/train_local.sh", "local_test/serve_local.sh"])
def test_without_an_engine_a_script_says_so_in_one_line(name: str, shell: Shell) -> None:
    (shell.docker / "down").touch()
    done = shell.run(PROJECT_DIR / name, "sagemaker-x")
    assert done.returncode == 1
    assert "the Docker engine does not answer; start it" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["train_local.sh", "serve_local.sh"])
def test_unknown_image_is_named_with_the_command_that_builds_it(name: str, shell: Shell) -> None:
    done = shell.run(LOCAL_TEST_DIR / name, "no-such-image")
    assert done.returncode == 1
    assert "there is no image no-such-image here; build it: docker build -t no-such-image ." in done.stderr


@pytest.mark.parametrize("name", ["train_local.sh", "serve_local.sh", "predict.sh"])
def test_no_argument_prints_usage_and_is_an_error(name: str, shell: Shell) -> None:
    done = shell.run(LOCAL_TEST_DIR / name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Usage: {name} ")


@pytest.mark.parametrize("script", [p for p in RUN_BY_NAME if p.parent != PROGRAMS_DIR and p.name != "ensure_nginx.sh"])
def test_help_prints_usage_on_stdout(script: Path, shell: Shell) -> None:
    done = shell.run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {script.name} ")


# build_and_push.sh


def test_stdout_is_the_image_by_digest_alone(shell: Shell) -> None:
    """deploy and CI read it; progress belongs to stderr."""
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout) == (0, f"{ECR}/sagemaker-x@{DIGEST}\n"), done.stderr


def test_tag_is_commit_and_content_and_never_latest(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=PROJECT_DIR, text=True)
    assert shell.calls("docker", "push") == [f"push {ECR}/sagemaker-x:{commit[:12]}-0123456789ab"]


def test_missing_repository_is_created_once(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    shell.build_and_push("sagemaker-x")
    assert len(shell.calls("aws", "ecr create-repository --repository-name sagemaker-x")) == 1


def test_region_option_wins_over_the_environment(shell: Shell) -> None:
    done = shell.build_and_push("--region", "us-west-2", "sagemaker-x", AWS_REGION="us-east-1")
    assert ".us-west-2." in done.stdout


def test_no_region_is_an_error_that_names_the_option(shell: Shell) -> None:
    (shell.aws / "region").unlink()
    done = shell.build_and_push("sagemaker-x")
    assert done.returncode == 1
    assert "no AWS region: give --region, or set AWS_REGION" in done.stderr


def test_other_ecr_error_is_shown_and_nothing_is_created(shell: Shell) -> None:
    """AccessDenied must not be taken for a missing repository."""
    (shell.aws / "sagemaker-x").touch()
    done = shell.build_and_push("sagemaker-y", "--region", "bad region")
    assert done.returncode == 1
    assert "gave no repository sagemaker-y" in done.stderr
    assert shell.calls("docker", "push") == []


def test_login_comes_right_before_each_push_attempt(shell: Shell) -> None:
    (shell.docker / "failures").write_text("1")
    done = shell.build_and_push("sagemaker-x")
    order = [line.split()[0] for line in shell.calls("docker", "") if line.split()[0] in ("login", "push")]
    assert (done.returncode, order) == (0, ["login", "push", "login", "push"])
    assert (shell.docker / "password").read_text() == "secret\n"
    assert "push 1 of 4 failed" in done.stderr


def test_password_is_never_an_argument(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    assert shell.calls("docker", "login") == [f"login --username AWS --password-stdin {ECR}"]


@pytest.mark.parametrize(
    ("instance_type", "platform"),
    [
        ("ml.m5.large", "linux/amd64"),
        ("ml.g5.xlarge", "linux/amd64"),
        ("ml.g4dn.xlarge", "linux/amd64"),
        ("ml.inf2.xlarge", "linux/amd64"),
        ("ml.p4d.24xlarge", "linux/amd64"),
        ("ml.c6i.metal-48xl", "linux/amd64"),
        ("ml.m6g.large", "linux/arm64"),
        ("ml.m6gd.large", "linux/arm64"),
        ("ml.c7gn.16xlarge", "linux/arm64"),
        ("ml.r8g.4xlarge", "linux/arm64"),
        ("ml.p6e-gb200.36xlarge", "linux/arm64"),
    ],
)
def test_instance_type_decides_the_platform(instance_type: str, platform: str, shell: Shell) -> None:
    (shell.docker / "platform").write_text(platform)
    done = shell.build_and_push("--instance-type", instance_type, "sagemaker-x")
    assert done.returncode == 0, done.stderr
    assert f" --platform {platform} " in shell.calls("docker", "build ")[0]


def test_image_of_another_architecture_is_not_pushed(shell: Shell) -> None:
    """It would end as an exec format error on the endpoint, after half an hour."""
    (shell.docker / "platform").write_text("linux/arm64\n")
    done = shell.build_and_push("sagemaker-x")
    assert done.returncode == 1
    assert "the image is linux/arm64, not linux/amd64" in done.stderr
    assert shell.calls("docker", "push") == []


def test_image_on_a_stand_in_base_is_not_pushed(shell: Shell) -> None:
    (shell.docker / "labels").write_text("true")
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, shell.calls("docker", "push")) == (1, [])


def test_buildx_is_told_to_make_no_attestations(shell: Shell) -> None:
    """They turn the image into an OCI index, which CreateModel refuses."""
    (shell.docker / "buildx").touch()
    shell.build_and_push("sagemaker-x", "--", "--no-cache")
    (build,) = shell.calls("docker", "buildx build")
    assert "buildx build --provenance=false --sbom=false --output type=docker --platform linux/amd64 " in build
    assert build.endswith(" -t sagemaker-x:build --no-cache .")


def test_pushed_oci_manifest_is_an_error(shell: Shell) -> None:
    (shell.docker / "manifest").write_text('{"mediaType": "application/vnd.oci.image.index.v1+json"}')
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "SageMaker takes no application/vnd.oci.image.index.v1+json" in done.stderr


def test_name_without_sagemaker_is_pushed_with_a_note(shell: Shell) -> None:
    done = shell.build_and_push("my-model")
    assert done.returncode == 0
    assert "note: the managed SageMaker policy reaches only repositories whose name contains sagemaker" in done.stderr


@pytest.mark.parametrize("name", ["Upper", "with:tag", "a", "-x", "a//b", "a b"])
def test_impossible_name_is_refused_before_the_build(name: str, shell: Shell) -> None:
    assert shell.build_and_push(name).returncode == 1
    assert shell.calls("docker", "build ") == []


def test_no_login_pushes_to_the_given_registry_without_aws(shell: Shell) -> None:
    done = shell.build_and_push("--no-login", "sagemaker-x", ECR_REGISTRY="registry.example:5000")
    assert done.stdout == f"registry.example:5000/sagemaker-x@{DIGEST}\n"
    assert shell.calls("aws", "") == []


def test_source_label_holds_no_token(shell: Shell, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(PROJECT_DIR / "build_and_push.sh", clone)
    for command in (["init", "-q"], ["remote", "add", "origin", "https://user:token@git.example/me/model.git"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    shell.run(clone / "build_and_push.sh", "sagemaker-x")
    assert " --build-arg SOURCE=https://git.example/me/model.git " in shell.calls("docker", "build ")[0]


# predict.sh


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
