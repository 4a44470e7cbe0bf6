"""The commit that resources are tagged with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.facts import git_sha

COMMIT = ("-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-qm", "first")


def git(*words: str) -> str:
    return subprocess.check_output(["git", *words], text=True).strip()


def test_a_changed_tree_is_not_told_as_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    Path("predictor.py").write_text("1")
    git("add", ".")
    git(*COMMIT)
    sha = git("rev-parse", "HEAD")
    assert git_sha() == sha
    Path("predictor.py").write_text("2")
    assert git_sha() == f"{sha}-dirty"
    git("checkout", "-q", ".")
    Path("train").write_text("not added as yet")
    assert git_sha() == f"{sha}-dirty"


def test_outside_of_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_sha() == ""
