"""What all shell scripts have in common: they can be run anywhere, and say in a line what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.shell import LOCAL_TEST_DIR, PROGRAMS_DIR, PROJECT_DIR, Shell

SCRIPTS = sorted([*PROJECT_DIR.glob("*.sh"), *PROJECT_DIR.glob("[a-z]*/**/*.sh"), *PROGRAMS_DIR.iterdir()])
RUN_BY_NAME = [path for path in SCRIPTS if path.name != "platform.sh"]  # which is sourced


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


ASKED_FOR_HELP = [p for p in RUN_BY_NAME if p.parent != PROGRAMS_DIR and not p.name.startswith("ensure_")]


@pytest.mark.parametrize("script", ASKED_FOR_HELP)
def test_help_prints_usage_on_stdout(script: Path, shell: Shell) -> None:
    done = shell.run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {script.name} ")
