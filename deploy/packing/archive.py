"""model.tar.gz with the same bytes for the same files, whoever packs them and when. Called by verbs/package."""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from deploy.errors import DeployError
from deploy.packing.members import CHUNK, Member, Progress, changed

NAME = "model.tar.gz"
LEVEL = 6
"""gzip's own; weights seldom get smaller by more."""


class Counted:
    """A file that says how much of it was read."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file, self._progress = file, progress

    def read(self, size: int) -> bytes:
        part = self._file.read(size)
        self._progress(len(part))
        return part


def check(path: Path) -> None:
    """Raises DeployError where write would fail at once: there packing can take minutes, and a trial before it too."""
    if path.is_dir():
        raise DeployError(f"{path} is a folder.", f"Name a file: --out {path / NAME}.")
    try:
        _part(path).touch()
        _part(path).unlink()
    except OSError as error:
        raise _refused(path, error) from None


def write(found: Sequence[Member], path: Path, *, level: int = LEVEL, progress: Progress = lambda _: None) -> None:
    """An archive at path, which is there only when it is whole. Raises DeployError, such as for a disk that is full."""
    part = _part(path)
    try:
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", level, raw, mtime=0) as packed,
            tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, copybufsize=CHUNK) as tar,
        ):
            for each in found:
                _add(tar, each, progress)
        os.replace(part, path)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _refused(path: Path, error: OSError) -> DeployError:
    """Of the archive, or of a file of the model that was there when they were looked at."""
    if error.filename not in (None, str(_part(path))):
        return DeployError(f"{error.filename} cannot be read: {error.strerror}.", "Pack a folder that nobody changes.")
    step = "Make its folder, free space there, or take another place: --out FILE; TMPDIR=FOLDER for an upload."
    return DeployError(f"{path} cannot be written: {error.strerror}.", step)


def _add(tar: tarfile.TarFile, member: Member, progress: Progress) -> None:
    info = described(member)
    if member.is_folder:
        return tar.addfile(info)
    with member.path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != member.size:
            raise changed(member)
        return tar.addfile(info, Counted(file, progress))  # type: ignore[arg-type]  # it only reads


def described(member: Member) -> tarfile.TarInfo:
    """Root's, of 1970, readable for any uid: nothing of who packs it, or when."""
    info = tarfile.TarInfo(member.name)
    info.size = member.size
    info.mode = 0o755 if member.is_folder or member.is_program else 0o644
    info.type = tarfile.DIRTYPE if member.is_folder else tarfile.REGTYPE
    return info
