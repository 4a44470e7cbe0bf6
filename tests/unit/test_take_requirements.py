"""What `make image MODEL=...` takes out of an artifact, and what it refuses to."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from local_test.take_requirements import take
from tests.unit.shell import PROJECT_DIR

FILES = {
    "model.joblib": "weights",
    "code/inference.py": "import greeting",
    "code/requirements.txt": "greeting",
    "code/more.txt": "numpy",
    "code/wheels/greeting-1.0-py3-none-any.whl": "wheel",
    "code/lib/ours/__init__.py": "",
    "requirements.txt": "not this one",
}
WANTED = ["code/more.txt", "code/requirements.txt", "code/wheels/greeting-1.0-py3-none-any.whl"]


def archive(folder: Path, *members: tarfile.TarInfo, prefix: str = "") -> Path:
    with tarfile.open(folder / "model.tar.gz", "w:gz") as file:
        for name, text in FILES.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
        for member in members:
            file.addfile(member)
    return folder / "model.tar.gz"


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("prefix", ["", "./"])
def test_requirements_and_wheels_are_taken_and_the_model_is_not(prefix: str, tmp_path: Path) -> None:
    assert take(archive(tmp_path, prefix=prefix), tmp_path / "into") == WANTED
    assert written(tmp_path / "into") == WANTED
    assert (tmp_path / "into" / "code" / "requirements.txt").read_text() == "greeting"


def test_a_folder_gives_what_its_archive_would(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(text)
    assert take(tmp_path / "model", tmp_path / "into") == WANTED


def test_what_an_earlier_artifact_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / "into" / "code").mkdir(parents=True)
    (tmp_path / "into" / "code" / "old.txt").touch()
    take(archive(tmp_path), tmp_path / "into")
    assert written(tmp_path / "into") == WANTED


def test_an_artifact_without_requirements_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "into").mkdir()
    assert take(tmp_path / "model", tmp_path / "into") == []
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    "member",
    [
        link("code/more.txt", "/etc/passwd"),
        link("code/more.txt", "model.joblib", tarfile.LNKTYPE),
        tarfile.TarInfo("code/../../outside.txt"),
        tarfile.TarInfo("/etc/outside.txt"),
    ],
    ids=["link", "hard link", "way out", "absolute"],
)
def test_a_link_or_a_way_out_is_refused_and_nothing_is_written(member: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SageMaker refuses"):
        take(archive(tmp_path, member), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "requirements.txt").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"requirements\.txt is a link"):
        take(tmp_path / "model", tmp_path / "into")


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_archive_is_told_without_a_traceback(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    command = [sys.executable, "-m", "local_test.take_requirements", tmp_path / "model.tar.gz", tmp_path / "into"]
    done = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "not a tar archive" in done.stderr
