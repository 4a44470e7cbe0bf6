"""Takes out of a model artifact what `make image MODEL=...` installs: code/requirements.txt and the wheels beside it.

python3 -m local_test.take_requirements MODEL INTO; MODEL is a model.tar.gz or a folder. INTO is written anew, and is
not there afterwards if the artifact has no such file. Needs the standard library alone. Nothing of the archive is
trusted: only files of the wanted kind inside of code/ are written, and a link or a way out of it is an error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CODE = "code"
REQUIREMENTS = f"{CODE}/requirements.txt"
SUFFIXES = (".txt", ".whl", ".tar.gz", ".zip")
"""What requirements.txt may speak of: files that it includes, and packages."""

Content = tuple[PurePosixPath, bytes]


def take(model: Path, into: Path) -> list[str]:
    """The names of the files that were taken, none if there is no requirements.txt. Raises ValueError, OSError."""
    contents = dict(_in_folder(model) if model.is_dir() else _in_archive(model))
    shutil.rmtree(into, ignore_errors=True)
    if PurePosixPath(REQUIREMENTS) not in contents:
        return []
    for name, data in contents.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_bytes(data)
    return sorted(map(str, contents))


def _in_archive(model: Path) -> Iterator[Content]:
    try:
        with tarfile.open(model) as archive:
            for member in archive:
                if (name := _wanted(member.name)) is None or member.isdir():
                    continue
                if not member.isfile():
                    raise ValueError(
                        f"{member.name} is a link or a device, which SageMaker refuses: pack the file itself"
                    )
                file = archive.extractfile(member)
                yield name, file.read() if file is not None else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError("not a tar archive, or not a whole one") from error


def _in_folder(model: Path) -> Iterator[Content]:
    for path in sorted((model / CODE).rglob("*")):
        name = _wanted(path.relative_to(model).as_posix())
        if name is not None and path.is_symlink():
            raise ValueError(f"{name} is a link, which SageMaker refuses: put the file itself there")
        if name is not None and path.is_file():
            yield name, path.read_bytes()


def _wanted(member: str) -> PurePosixPath | None:
    """The member's name without a leading ./ if it is of code/ and of a kind that is wanted. Raises ValueError."""
    name = PurePosixPath(member)
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(
            f"{member} is not inside of the archive, which SageMaker refuses: pack it from within its folder"
        )
    return name if name.parts[:1] == (CODE,) and name.name.endswith(SUFFIXES) else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m local_test.take_requirements", description=__doc__)
    parser.add_argument("model", type=Path, help="model.tar.gz, or the folder that becomes one")
    parser.add_argument("into", type=Path, help="the folder to write them to")
    options = parser.parse_args()
    try:
        taken = take(options.model, options.into)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{options.model}: {error}\n")
        return 1
    print(f"{options.model}: {', '.join(taken)}" if taken else f"{options.model} has no {REQUIREMENTS}: nothing to add")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
