"""What goes into an archive, and that the same files are the same bytes."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.packing import archive
from deploy.packing.members import content_hash, members, outside, wrapping

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    for name, text in {"model.joblib": "weights", "code/inference.py": "def f(): ...", "z/deep/file": ""}.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(text)
    (model / "empty").mkdir()
    return model


def names(folder: Path) -> list[str]:
    return [each.name for each in members(folder)]


def packed(folder: Path, path: Path) -> bytes:
    archive.write(members(folder), path)
    return path.read_bytes()


def test_pkg_01_and_03_members_are_at_the_top_of_a_gzip_archive(folder: Path, tmp_path: Path) -> None:
    packed(folder, tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz", "r:gz") as tar:
        assert tar.getnames() == ["code/inference.py", "empty", "model.joblib", "z/deep/file"]
        assert [each.name for each in tar if each.isdir()] == ["empty"]


def test_same_files_are_the_same_bytes_whoever_has_them_and_when(folder: Path, tmp_path: Path) -> None:
    before = packed(folder, tmp_path / "a.tar.gz")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1, 1))
    assert packed(folder, tmp_path / "b.tar.gz") == before


def test_nobody_is_named_in_the_archive_and_anyone_may_read_it(folder: Path, tmp_path: Path) -> None:
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    packed(folder, tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in tar} == {(0, 0, "", "", 0)}
        modes = {each.name: each.mode for each in tar}
    assert (modes["model.joblib"], modes["run"], modes["empty"]) == (0o644, 0o755, 0o755)


def test_hash_is_of_names_and_contents(folder: Path) -> None:
    before = content_hash(members(folder))
    (folder / "z/deep/file").rename(folder / "z/deep/other")
    assert content_hash(members(folder)) != before
    (folder / "z/deep/other").rename(folder / "z/deep/file")
    assert content_hash(members(folder)) == before
    (folder / "model.joblib").write_text("weightS")
    assert content_hash(members(folder)) != before


def test_pkg_06_what_tools_leave_behind_stays_out(folder: Path) -> None:
    before = names(folder)
    for name in ("._model.joblib", ".DS_Store", ".git/config", "code/__pycache__/inference.cpython-311.pyc", "old.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert names(folder) == before


def test_pkg_02_link_becomes_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    """As in the caches of model hubs, where all is links."""
    (tmp_path / "blob").write_text("far")
    (folder / "far").symlink_to(tmp_path / "blob")
    os.link(folder / "model.joblib", folder / "same")
    packed(folder, tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert not [each.name for each in tar if each.issym() or each.islnk()]
        far = tar.extractfile("far")
        assert far is not None
        assert far.read() == b"far"


def test_links_that_lead_out_of_the_folder_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "secret").touch()
    (folder / "inside").symlink_to("model.joblib")
    (folder / "file").symlink_to(tmp_path / "far" / "secret")
    (folder / "code" / "all").symlink_to(tmp_path / "far")
    assert outside(folder, members(folder)) == [f"code/all -> {tmp_path}/far", f"file -> {tmp_path}/far/secret"]


def test_pkg_02_and_07_all_that_cannot_be_packed_is_named_at_once(folder: Path) -> None:
    (folder / "nowhere").symlink_to("/nonexistent")
    (folder / "z" / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    with pytest.raises(DeployError) as caught:
        members(folder)
    for told in ("nowhere leads nowhere", "z/round leads to a folder that it lies in", "pipe is no file"):
        assert told in caught.value.reason


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of somebody who is not root, whom nothing is forbidden."""
    with tempfile.TemporaryDirectory() as path:
        was = os.geteuid()
        if was == 0:
            os.chown(path, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, was)
        yield Path(path)
        os.setresuid(was, was, was)


def test_what_may_not_be_read_is_named_at_once(nobody: Path) -> None:
    """As a container leaves it that trained as root."""
    (nobody / "model.joblib").touch(0)
    (nobody / "code").mkdir(0)
    with pytest.raises(DeployError, match=r"code may not be read; model\.joblib may not be read"):
        members(nobody)


def test_file_that_goes_while_it_is_packed_is_named(folder: Path, tmp_path: Path) -> None:
    found = members(folder)
    (folder / "model.joblib").unlink()
    with pytest.raises(DeployError, match=r"model/model\.joblib cannot be read: No such file"):
        archive.write(found, tmp_path / "model.tar.gz")
    assert not list(tmp_path.glob("model.tar*"))


def test_folder_without_a_file_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DeployError, match=r"holds no file|is no folder"):
            members(folder)


def test_one_folder_around_all_is_told(folder: Path, tmp_path: Path) -> None:
    assert wrapping(members(folder)) == ""
    assert wrapping(members(tmp_path)) == "model"


def test_file_that_changes_meanwhile_is_an_error_and_no_archive(folder: Path, tmp_path: Path) -> None:
    found = members(folder)
    (folder / "model.joblib").write_text("more than that")
    with pytest.raises(DeployError, match="changed while it was read"):
        archive.write(found, tmp_path / "a.tar.gz")
    with pytest.raises(DeployError, match="changed while it was read"):
        content_hash(found)
    assert list(tmp_path.glob("a.tar.gz*")) == []
