"""Files on their way into a container and out of an image, as the tar archives that Docker's API speaks of.

Used by engine and container.
"""

from __future__ import annotations

import copy
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import docker.errors

MEGABYTE = 2**20
GO_FOLDER, GO_LINK = 1 << 31, 1 << 27  # bits of a mode as Docker's API has it: Go's io/fs.FileMode


def members(chunks: Iterator[bytes]) -> Iterator[tarfile.TarInfo]:
    """What a tar holds, read as it comes."""
    with tarfile.open(fileobj=io.BufferedReader(_Stream(chunks), MEGABYTE), mode="r|") as archive:
        yield from archive


def is_program(container: Any, path: str) -> bool:
    """Whether there is an executable file, or a link, in a container that need not run."""
    try:
        stream, stat = container.get_archive(path)
    except docker.errors.APIError:
        return False
    stream.close()
    return bool(stat["mode"] & GO_LINK or (stat["mode"] & 0o111 and not stat["mode"] & GO_FOLDER))


def pack(folder: Path, targets: Sequence[str], file: IO[bytes]) -> None:
    """A tar of a folder at some places, its files stored once."""
    first, *others = [target.strip("/") for target in targets]
    with tarfile.open(fileobj=file, mode="w", dereference=True) as archive:
        archive.add(folder, first, filter=_open_to_all)
        for info in list(archive.getmembers()):
            for other in others:
                archive.addfile(_link(info, other + info.name.removeprefix(first)))


def _open_to_all(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mode |= 0o755 if info.isdir() else 0o644
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _link(info: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    link = copy.copy(info)
    link.name = name
    if not info.isdir():
        link.type, link.linkname, link.size = tarfile.LNKTYPE, info.name, 0
    return link


class _Stream(io.RawIOBase):
    """The chunks of an HTTP answer as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
