"""Which files of a model folder go to AWS, under which names, and their hash. Called by verbs/package.

SageMaker unpacks an archive into /opt/ml/model as it is: members at the top, no links.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

JUNK_FOLDERS = {"__pycache__", ".git", ".ipynb_checkpoints", "__MACOSX"}
JUNK_FILES = {".DS_Store", "Thumbs.db"}
LIMIT_BYTES = 255
"""Of each part of a name: https://docs.aws.amazon.com/sagemaker/latest/dg/large-model-inference-uncompressed.html"""
CHUNK = 1 << 20

Progress = Callable[[int], object]
"""Told how many bytes were done more."""


@dataclass(frozen=True)
class Member:
    """A file, or an empty folder."""

    name: str
    """Below /opt/ml/model, with slashes."""
    path: Path
    size: int
    is_folder: bool = False
    is_program: bool = False


def members(folder: Path) -> list[Member]:
    """Sorted by name. A link counts as what it leads to. Raises DeployError naming all that cannot be packed."""
    if not folder.is_dir():
        raise DeployError(f"{folder} is no folder.", "Give the folder whose content /opt/ml/model is to have.")
    problems: list[str] = []
    found = sorted(_below(folder, "", (folder.resolve(),), problems), key=lambda each: each.name)
    if problems:
        raise DeployError(
            f"{folder} cannot be packed: {'; '.join(problems)}", "Change these names, files or permissions."
        )
    if not any(not each.is_folder for each in found):
        raise DeployError(f"{folder} holds no file.", "Train first, or give another folder.")
    return found


def _below(folder: Path, prefix: str, above: tuple[Path, ...], problems: list[str]) -> Iterator[Member]:
    entries = [each for each in sorted(folder.iterdir()) if not is_junk(each)]
    if prefix and not entries:
        yield Member(prefix.rstrip("/"), folder, 0, is_folder=True)
    for each in entries:
        name = prefix + each.name
        problems += _of_name(name)
        real = each.resolve()
        if real.is_dir() and real in above:
            problems.append(f"{name} leads to a folder that it lies in")
        elif real.exists() and not os.access(real, os.R_OK | (os.X_OK if real.is_dir() else 0)):
            problems.append(f"{name} may not be read")
        elif real.is_dir():
            yield from _below(each, f"{name}/", (*above, real), problems)
        elif real.is_file():
            yield Member(name, each, real.stat().st_size, is_program=os.access(real, os.X_OK))
        else:
            problems.append(f"{name} {'leads nowhere' if each.is_symlink() else 'is no file'}")


def is_junk(path: Path) -> bool:
    """What editors, Finder, git and Python leave behind."""
    return path.name in JUNK_FOLDERS | JUNK_FILES or path.name.startswith("._") or path.suffix in (".pyc", ".pyo")


def _of_name(name: str) -> Iterator[str]:
    part = name.rpartition("/")[2]
    try:
        if len(part.encode()) > LIMIT_BYTES:
            yield f"{name} is longer than {LIMIT_BYTES} bytes"
    except UnicodeEncodeError:
        yield f"{name!r} is not UTF-8"


def wrapping(found: Sequence[Member]) -> str:
    """The one folder that everything lies in, or nothing: the model is then one level lower than most loaders look."""
    tops = {each.name.partition("/")[0] for each in found}
    return tops.pop() if len(tops) == 1 and "/" in found[0].name else ""


def outside(folder: Path, found: Sequence[Member]) -> list[str]:
    """`certs -> /etc/certs` of each link that leads out of the folder: what it leads to is packed."""
    root = folder.resolve()
    links = {link for each in found for link in _links(folder, each) if not link.resolve().is_relative_to(root)}
    return [f"{link.relative_to(folder)} -> {link.resolve()}" for link in sorted(links)]


def _links(folder: Path, member: Member) -> Iterator[Path]:
    """The member or the folders that it lies in, as far as they are links."""
    paths = [member.path, *member.path.parents]
    return (each for each in paths if each.is_relative_to(folder) and each != folder and each.is_symlink())


def content_hash(found: Sequence[Member], progress: Progress = lambda _: None) -> str:
    """64 hex digits of names and contents. Not of an archive, whose bytes the version of zlib decides."""
    digest = hashlib.sha256()
    for each in found:
        digest.update(f"{each.name}\0{each.size}\0{each.is_folder:d}{each.is_program:d}\0".encode())
        for part in () if each.is_folder else parts(each, progress):
            digest.update(part)
    return digest.hexdigest()


def parts(member: Member, progress: Progress = lambda _: None) -> Iterator[bytes]:
    """The file's content. Raises DeployError where it is not as long as it was: somebody writes to it."""
    read = 0
    with member.path.open("rb") as file:
        while part := file.read(CHUNK):
            read += len(part)
            progress(len(part))
            yield part
    if read != member.size:
        raise changed(member)


def changed(member: Member) -> DeployError:
    return DeployError(f"{member.path} changed while it was read.", "Run the verb again when nothing writes to it.")
