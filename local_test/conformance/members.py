"""What a model artifact holds: the members of a model.tar.gz, or of a folder that stands for one.

Used by checks/artifact.py. An archive is read once, as a stream: one of many gigabytes fills no memory.
"""

from __future__ import annotations

import functools
import gzip
import os
import stat
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

LIMIT = 10**6  # an archive of endless small members must not fill our memory
READ_BYTES = 1 << 20
GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
KEY_LIMIT_BYTES = 1024  # Amazon S3 user guide, "Naming Amazon S3 objects"
PART_LIMIT_BYTES = 255


class Kind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    SYMBOLIC_LINK = "symbolic link"
    HARD_LINK = "hard link"
    DEVICE = "device or pipe"


@dataclass(frozen=True)
class Member:
    name: str
    """As it is written in the archive; in a folder the path below it."""
    kind: Kind
    size_bytes: int

    @property
    def path(self) -> PurePosixPath:
        """The name without ./ and the like."""
        return PurePosixPath(self.name)


class Unreadable(Exception):
    """It is no gzip-compressed tar, or not all of one."""


def of_archive(path: Path) -> tuple[Member, ...]:
    """Raises Unreadable."""
    facts = path.stat()
    return _of_archive(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=1)
def _of_archive(path: Path, *_: int) -> tuple[Member, ...]:
    found: list[Member] = []
    with opened(path) as archive:
        while (each := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined] # it would keep all that it has seen
            found.append(Member(each.name, _tar_kind(each), each.size))
            if len(found) > LIMIT:
                raise Unreadable(f"it has more than {LIMIT} members")
    return tuple(found)


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive as a stream, read to its end: damage is found there. Raises Unreadable."""
    try:
        with path.open("rb") as file, gzip.open(file) as stream:
            if file.peek(len(GZIP))[: len(GZIP)] != GZIP:
                raise Unreadable("it is not compressed with gzip")
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                yield archive
            while stream.read(READ_BYTES):
                """The checksum stands at the end."""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise Unreadable(f"it cannot be read to its end: {error}") from error


def _tar_kind(member: tarfile.TarInfo) -> Kind:
    if member.issym():
        return Kind.SYMBOLIC_LINK
    if member.islnk():
        return Kind.HARD_LINK
    if member.isdir():
        return Kind.FOLDER
    return Kind.FILE if member.isfile() else Kind.DEVICE


def of_folder(folder: Path) -> tuple[Member, ...]:
    """What a walk finds; links are not followed."""
    return tuple(_of_folder(folder, ""))


def _of_folder(folder: Path, above: str) -> Iterator[Member]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            facts = entry.stat(follow_symlinks=False)
            kind = _mode_kind(facts.st_mode)
            yield Member(above + entry.name, kind, facts.st_size)
            if kind is Kind.FOLDER:
                yield from _of_folder(Path(entry.path), f"{above}{entry.name}/")


def _mode_kind(mode: int) -> Kind:
    if stat.S_ISLNK(mode):
        return Kind.SYMBOLIC_LINK
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.FILE if stat.S_ISREG(mode) else Kind.DEVICE


def key_faults(keys: Iterable[str]) -> Iterator[str]:
    """What of S3's keys, relative to the prefix, cannot become a file."""
    keys = list(keys)
    folders = Counter(str(above) for key in keys for above in PurePosixPath(key).parents)
    for key in keys:
        parts = [part.encode("utf-8", "surrogateescape") for part in key.split("/")]
        if any(part in (b"", b".", b"..") for part in parts):
            yield f"{key!r} has an empty part, . or .."
        if b"\0" in key.encode("utf-8", "surrogateescape"):
            yield f"{key!r} has a NUL"
        if max(map(len, parts)) > PART_LIMIT_BYTES:
            yield f"{key[:40]!r}... has a part of more than {PART_LIMIT_BYTES} bytes"
        if sum(map(len, parts)) + len(parts) - 1 > KEY_LIMIT_BYTES:
            yield f"{key[:40]!r}... has more than {KEY_LIMIT_BYTES} bytes"
        if any("\udc80" <= character <= "\udcff" for character in key):
            yield f"{key!r} is not UTF-8, as S3's names are"
        if key in folders:
            yield f"{key!r} is both a file and a folder"
