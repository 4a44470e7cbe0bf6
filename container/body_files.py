"""A request's body that nginx left in a file, and told the app where: opened here, and removed where nginx cannot.

opened is called by exchange, and by app for a Flask app of predictor.py; remove_left by the supervisor. Which bodies
these are says nginx.conf, at @by_file; docs/decisions/0011 says why. Standard library only: it runs in PID 1 too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from container.errors import DecodeError

PATH = "HTTP_X_BODY_FILE"
"""Key of the environ. nginx sends this header for such a body alone, and never the client's own."""


def folder(run_dir: Path) -> Path:
    """nginx.conf: client_body_temp_path."""
    return run_dir / "body"


def opened(environ: dict[str, Any], run_dir: Path) -> BinaryIO:
    """The body; close it. Raises DecodeError if it is gone, as it is once nginx has given the request up."""
    path = Path(environ.pop(PATH))  # handlers see the environ's headers
    if path.parent != folder(run_dir) or not path.name.isdecimal():
        raise DecodeError("The header X-Body-File is nginx's own; leave it away.")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise DecodeError("The body is gone: the client has left.") from None


def remove_left(run_dir: Path) -> int:
    """Remove what an nginx that was killed has left behind, perhaps a gigabyte; returns how many bytes."""
    try:
        found = list(os.scandir(folder(run_dir)))
    except FileNotFoundError:
        return 0
    held = _held_by_nginx() if found else None  # after the folder was read: what is new there is held by now
    return 0 if held is None else sum(_remove(entry) for entry in found if entry.path not in held)


def _remove(entry: os.DirEntry[str]) -> int:
    try:
        size = entry.stat().st_size
        os.unlink(entry)
    except FileNotFoundError:  # nginx itself did
        return 0
    return size


def _held_by_nginx() -> set[str] | None:
    """The files that any nginx has open; None where that cannot be told."""
    try:
        of_each = [_open_files(process) for process in _nginxes()]
    except PermissionError:
        return None
    return set().union(*of_each) if of_each else None


def _nginxes() -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().startswith("nginx"):
                yield process
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue


def _open_files(process: Path) -> set[str]:
    """Raises PermissionError where it is somebody else's process."""
    files = set()
    try:
        for link in os.scandir(process / "fd"):
            files.add(os.readlink(link))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return files
