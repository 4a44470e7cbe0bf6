"""A machine on which boto3 is not installed: each verb says so in one way, or does without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.__main__ import NO_BOTO3, VERBS, main
from tests.deploy.flow.conftest import FILE
from tests.dockerfile import ROOT

WITHOUT = (
    "import runpy, sys; sys.modules.update(boto3=None, botocore=None); runpy.run_module('deploy', None, '__main__')"
)

WORKS = [
    ["init", "--file", "other.toml"],
    ["keys"],
    ["package", "model", "--out", "model.tar.gz"],
    *(["iam", kind] for kind in ("execution", "trust", "deployer")),
    ["cost"],
]
NEEDS = [
    ["package", "model"],
    ["iam", "deployer", "--check"],
    ["cost", "--idle", "7"],
    ["plan", "--offline"],
    ["invoke", "rows.csv"],
    ["scale", "3"],
    ["export", "cloudformation", "--offline"],
    *([verb] for verb in ("doctor", "plan", "up", "status", "logs", "rollback", "down")),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """With all that the verbs are given."""
    (tmp_path / "deploy.toml").write_text(FILE)
    (tmp_path / "rows.csv").write_text("1,2\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.txt").write_text("1")
    return tmp_path


def run(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{environment['PYTHONPATH']}"}
    command = [sys.executable, "-c", WITHOUT, *words]
    return subprocess.run(command, cwd=folder, env=environment | path, capture_output=True, text=True, timeout=60)


def test_each_verb_is_among_these() -> None:
    assert {words[0] for words in WORKS + NEEDS} == set(VERBS)


@pytest.mark.parametrize("words", NEEDS, ids=" ".join)
def test_verb_that_needs_boto3_says_so_and_how_to_get_it(
    words: list[str], folder: Path, environment: dict[str, str]
) -> None:
    done = run(folder, environment, *words, "--output", "json")
    told = {"reason": "boto3 is not installed.", "next_step": NO_BOTO3.next_step, "log": []}
    assert (done.returncode, json.loads(done.stdout)) == (1, {"error": told})
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(f"error: boto3 is not installed.\nnext: {NO_BOTO3.next_step}\n")


@pytest.mark.parametrize("words", [*WORKS, *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_verb_that_asks_nothing_of_aws_does_without(
    words: list[str], folder: Path, environment: dict[str, str]
) -> None:
    done = run(folder, environment, *words)
    assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
    assert done.stdout


def test_fault_of_ours_is_not_told_as_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "plan", ("deploy.verbs.plam", ""))
    with pytest.raises(ModuleNotFoundError, match="plam"):
        main(["plan"])
