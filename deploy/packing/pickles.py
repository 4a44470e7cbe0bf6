"""Finds pickles whose classes were defined in the training script: they load nowhere else. Called by verbs/package.

Nothing is unpickled. The bytes that name a class of __main__ are looked for, not the opcodes one after the other, since
joblib writes an array's raw memory between them.
"""

from __future__ import annotations

import bz2
import itertools
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from deploy.packing.members import CHUNK, Member

SUFFIXES = {".pkl", ".pickle", ".joblib", ".sav", ".pt", ".pth"}
"""Read to the end whatever they begin with; other files if they begin as a pickle of protocol 2 or later does."""
HEAD = re.compile(rb"\x80[\x02-\x05]")
HEAD_BYTES = CHUNK
"""bz2 unpacks nothing before the end of a block, of 900 kB."""

CLASS = re.compile(
    rb"""
    [ci]__main__\n(\w[\w.]*)\n                              # GLOBAL and INST, protocols 0 to 3
    | (?:\x8c\x08|X\x08\0\0\0)__main__(?:\x94|q.|r....)?    # a string, perhaps memoized, protocol 4 and up
      (?:\x8c.|X....)(\w[\w.]*)(?:\x94|q.|r....)?\x93       # another, and STACK_GLOBAL
    """,
    re.VERBOSE | re.DOTALL,
)
OVERLAP = 512
"""How long a match may be that lies across two chunks."""


class Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def inflater() -> Unpacker:
    return zlib.decompressobj(wbits=47)  # with zlib's head or gzip's


MAGIC: dict[bytes, Callable[[], Unpacker]] = {
    **dict.fromkeys((b"\x1f\x8b", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), inflater),
    b"BZh": bz2.BZ2Decompressor,
    **dict.fromkeys((b"\xfd7zXZ", b"]\0\0"), lzma.LZMADecompressor),
}
"""How the compressed files begin that joblib writes: https://joblib.readthedocs.io/en/stable/generated/joblib.dump.html"""


def of_main(found: Sequence[Member]) -> list[str]:
    """`model.joblib names __main__.Scaler` of every class that a pickle would look for in __main__."""
    files = [each for each in found if not each.is_folder]
    return [f"{each.name} names __main__.{name}" for each in files for name in sorted(classes(each.path, each.name))]


def classes(path: Path, name: str) -> set[str]:
    """What a file's pickles name in __main__. Empty for what cannot be read: the trial in the image says more."""
    names: set[str] = set()
    try:
        for chunks in _streams(path, name):
            names |= _named(chunks)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError):  # a zip with a password
        return names
    return names


def _named(chunks: Iterator[bytes]) -> set[str]:
    names: set[str] = set()
    before = b""
    for chunk in chunks:
        window = before + chunk
        names |= {(found[1] or found[2]).decode() for found in CLASS.finditer(window)}
        before = window[-OVERLAP:]
    return names


def _streams(path: Path, name: str) -> Iterator[Iterator[bytes]]:
    """The content of each pickle in the file, unpacked; a zip holds several, as PyTorch writes it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for each in packed.namelist():
                with packed.open(each) as file:
                    yield from _pickle(file, each)
        return
    with path.open("rb") as file:
        yield from _pickle(file, name)


def _pickle(file: IO[bytes], name: str) -> Iterator[Iterator[bytes]]:
    """The file's content, if it is a pickle; of any other no more than its head is read."""
    head = file.read(HEAD_BYTES)
    make = next((make for magic, make in MAGIC.items() if head.startswith(magic)), None)
    if Path(name).suffix in SUFFIXES or HEAD.match(make().decompress(head, 2) if make else head):
        unpacker = make() if make else None
        chunks = itertools.chain([head], _chunks(file))
        yield (unpacker.decompress(chunk) if unpacker else chunk for chunk in chunks)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
