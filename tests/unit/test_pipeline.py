"""python -m local_test.pipeline: how stages are named, and what it says when one does not start.

tests/docs runs it on model folders, tests/image with containers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from local_test.pipeline import Wanted
from tests.unit.shell import PROJECT_DIR


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_test.pipeline", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=60, check=False)


def test_a_stage_is_a_folder_or_an_image_and_a_folder_and_variables(tmp_path: Path) -> None:
    image, accept = "host:5000/name:tag", {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv", "A": "b=c"}
    assert Wanted.parse(str(tmp_path)) == Wanted(tmp_path)
    text = f"{image}={tmp_path},SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=text/csv,A=b=c"
    assert Wanted.parse(text) == Wanted(tmp_path, image, accept)


@pytest.mark.parametrize(("text", "told"), [("nowhere", "no folder nowhere"), ("i=.,A", "'A' is not NAME=VALUE")])
def test_what_is_no_stage_is_told(text: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=told):
        Wanted.parse(text)


def test_one_container_is_no_pipeline(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, "has 2 to 15" in done.stderr) == (2, True)


def test_a_stage_that_does_not_start_is_named_and_ends_the_others(tmp_path: Path) -> None:
    """Each line of its log stands after its name."""
    done = run("--port", 0, tmp_path, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("pipeline: container-1 ended with exit code 1 before it was ready")
    assert "container-1 | " in done.stdout
    assert "startup_failed" in done.stdout
