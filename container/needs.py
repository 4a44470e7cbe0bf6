"""What an artifact's requirements.txt asks for, and whether it is installed.

Imported only where there is such a file: by handlers before the artifact's script runs, by loaders where an import
failed, by installer.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from container.settings import REQUIREMENTS, Settings

log = logging.getLogger(__name__)

RECORD = "requirements.json"
"""A file in sys.prefix: what installer has put there, and for which requirements.txt."""

BUILD_IN = "make image MODEL=model.tar.gz"
AT_START = "SERVING_INSTALL_REQUIREMENTS=true"
TOLD_LIMIT = 5  # lines named in one sentence


@dataclass(frozen=True)
class Line:
    """One requirement. parsed is None for what is no name with versions: a path or an address."""

    file: str
    number: int
    text: str
    parsed: Requirement | None

    def lacks(self) -> str:
        """Why the installed packages do not meet it; empty if they do, or if that cannot be known."""
        if self.parsed is None or (self.parsed.marker is not None and not self.parsed.marker.evaluate()):
            return ""
        version = installed(self.parsed.name)
        if version is None:
            return "not installed"
        return "" if self.parsed.specifier.contains(version, prereleases=True) else f"installed is {version}"


def tell(settings: Settings) -> None:
    """Log whether the artifact's requirements are met: once in the life of a server, by whichever process loads it."""
    path = settings.code_dir / REQUIREMENTS
    if not _is_first(settings.run_dir, path):
        return
    if not (lacking := missing(path)):
        log.info(
            "requirements_met", extra={"file": str(path), "installed_for_it": record().get("sha256") == digest(path)}
        )
        return
    log.warning(
        "requirements_not_installed",
        extra={
            "file": str(path),
            "missing": [f"{line.text}: {why}" for line, why in lacking],
            "detail": _why(path),
            "build_in": BUILD_IN,
            "at_start": AT_START,
        },
    )


def advice(package: str, code_dir: Path) -> str:
    """Which line would have brought a package that was not found, and what to do; empty where none would."""
    path = code_dir / REQUIREMENTS
    lacking = [line for line, _ in missing(path)] if path.is_file() else []
    if not lacking:
        return ""
    exact = [
        line
        for line in lacking
        if line.parsed is not None and canonicalize_name(line.parsed.name) == canonicalize_name(package)
    ]
    lines = "; ".join(f"{line.text} ({line.file}, line {line.number})" for line in (exact or lacking)[:TOLD_LIMIT])
    which = "asks for it" if exact else "asks for what may bring it"
    return f"The artifact {which}, but nobody installed it: {lines}. Build it in with {BUILD_IN}, or set {AT_START}"


def missing(path: Path) -> list[tuple[Line, str]]:
    """The lines that the installed packages do not meet, each with the reason."""
    return [(line, why) for line in read(path) if (why := line.lacks())]


def read(path: Path) -> Iterator[Line]:
    """The requirements of a file and of those that it includes by -r. Other options are pip's business."""
    for number, text in _logical_lines(path.read_text(encoding="utf-8-sig", errors="replace")):
        if included := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", text):
            if (other := path.parent / included[1]).is_file() and other != path:
                yield from read(other)
        elif not text.startswith("-"):
            text = re.split(r"\s--?[a-z]", text, maxsplit=1)[0].strip()  # hashes and such follow
            yield Line(path.name, number, text, _parsed(text))


def record() -> Mapping[str, Any]:
    """What installer has written about the environment that runs; empty where it has installed nothing."""
    try:
        found = json.loads(Path(sys.prefix, RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _why(path: Path) -> str:
    if not record():
        return f"nobody installed what {path.name} of the artifact asks for"
    return f"the image was built for another {path.name} than the artifact has"


def _is_first(run_dir: Path, path: Path) -> bool:
    """Whether no process of this server has told of this file yet."""
    try:
        (run_dir / f"told-{digest(path)[:12]}").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:  # there is no run folder: gunicorn was started by hand
        return True
    return True


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of what is no comment; a backslash at the end goes on in the next line.

    Source: pip, "Requirements File Format".
    """
    begun, parts = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun or number
        if line.endswith("\\"):
            parts += line[:-1] + " "
            continue
        whole = re.sub(r"(^|\s)#.*$", "", parts + line).strip()
        if whole:
            yield begun, whole
        begun, parts = 0, ""


def _parsed(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None
