"""manifest.json, the small file beside a model artifact: what it was made with, its checksums, a sample request.

Written by training at the end of a job; read by model before and after it loads an artifact. Never imports a library:
versions come from the installed packages' metadata.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict

from container.errors import StartupError

NAME = "manifest.json"
FORMAT = 1
NOT_INSTALLED = "not installed"

# Package name -> import name of the libraries that artifacts are made with.
LIBRARIES = {"joblib": "joblib", "numpy": "numpy", "scikit-learn": "sklearn", "scipy": "scipy", "skops": "skops",
             "spacy": "spacy"}  # fmt: skip

# How many parts of a version must agree; one part for the others. scikit-learn and spaCy promise nothing for artifacts
# across minor versions: scikit-learn.org "Model persistence", spacy.io "Saving and loading".
COMPARED_PARTS = {"python": 2, "scikit-learn": 2, "spacy": 2}


class FileDigest(TypedDict):
    """What one file of the artifact must be."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Sample:
    """A request that the model answers; the server warms up with it."""

    content_type: str
    body: str


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json. Only format is required, so a short one can be written by hand."""

    format: int = FORMAT
    created: str = ""
    python: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileDigest] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None
    sample: Sample | None = None


@dataclass(frozen=True)
class Mismatch:
    """A library whose installed version may read the artifact differently."""

    library: str
    artifact_version: str
    installed_version: str

    @property
    def only_warns(self) -> bool:
        """Another Python reads the same pickle in nearly all cases, so alone it is no reason to refuse."""
        return self.library == "python"


def write_manifest(
    model_dir: Path,
    *,
    feature_names: Iterable[str] | None = None,
    sample: Sample | None = None,
    libraries: Iterable[str] | None = None,
) -> Manifest:
    """Describe the artifact in model_dir as it is now; write manifest.json there in one step.

    libraries are package names; by default those of LIBRARIES that this process has imported.
    """
    manifest = Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        libraries={name: importlib.metadata.version(name) for name in sorted(libraries or _imported())},
        files={path: _digest(model_dir / path) for path in _artifact_files(model_dir)},
        feature_names=None if feature_names is None else tuple(str(name) for name in feature_names),
        sample=sample,
    )
    partial = model_dir / f".{NAME}.partial"
    partial.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(model_dir / NAME)
    return manifest


def read_manifest(model_dir: Path) -> Manifest | None:
    """The manifest of an artifact, None if it has none. Raises StartupError if it is there and cannot be used."""
    path = model_dir / NAME
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StartupError("manifest", f"{path}: {error}; write it anew with train, or remove it") from error


def check_files(manifest: Manifest, model_dir: Path) -> None:
    """Compare the files with the manifest; StartupError names the first that differs. Files not listed are let be."""
    for name, wanted in sorted(manifest.files.items()):
        path = model_dir / name
        if not path.is_file():
            raise _changed(name, wanted, "the file is missing")
        if path.stat().st_size != wanted["bytes"]:
            raise _changed(name, wanted, f"it has {path.stat().st_size} bytes")
        if (found := _digest(path)) != wanted:
            raise _changed(name, wanted, f"its sha256 is {found['sha256']}")


def version_mismatches(manifest: Manifest) -> list[Mismatch]:
    """The libraries, and Python, whose installed version is not the one that the artifact was made with."""
    made_with = dict(manifest.libraries)
    if manifest.python:
        made_with["python"] = manifest.python
    pairs = [Mismatch(library, version, _installed(library)) for library, version in sorted(made_with.items())]
    return [pair for pair in pairs if _compared(pair.artifact_version, pair) != _compared(pair.installed_version, pair)]


def _compared(version: str, pair: Mismatch) -> list[str]:
    return version.split(".")[: COMPARED_PARTS.get(pair.library, 1)]


def _installed(library: str) -> str:
    if library == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED


def _imported() -> list[str]:
    # Not all that is installed: a scikit-learn artifact must not be refused because of another spaCy.
    return [package for package, module in LIBRARIES.items() if module in sys.modules]


def _artifact_files(model_dir: Path) -> Iterator[str]:
    """Relative paths, sorted; without hidden files, caches, and code/, which the SageMaker SDK repacks at will."""
    for folder, subfolders, names in os.walk(model_dir):
        here = Path(folder).relative_to(model_dir)
        subfolders[:] = sorted(name for name in subfolders if _is_content(name) and here / name != Path("code"))
        yield from sorted((here / name).as_posix() for name in names if _is_content(name) and name != NAME)


def _is_content(name: str) -> bool:
    return not name.startswith(".") and name != "__pycache__"


def _digest(path: Path) -> FileDigest:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def _changed(name: str, wanted: FileDigest, found: str) -> StartupError:
    return StartupError(
        "manifest",
        f"{name} is not the file that was trained: {NAME} says {wanted['bytes']} bytes, sha256 {wanted['sha256']}, "
        f"but {found}; deploy the artifact as train wrote it, or set SERVING_VERIFY_ARTIFACT=false",
    )


def _parse(content: Any) -> Manifest:
    """A Manifest from parsed JSON. Raises ValueError saying which key must be what; unknown keys are let be."""
    _require_object("the file", content)
    if content.get("format") != FORMAT:
        raise ValueError(f"format must be {FORMAT}, not {content.get('format')!r}")
    names = content.get("feature_names")
    return Manifest(
        created=_text("created", content.get("created", "")),
        python=_text("python", content.get("python", "")),
        libraries={name: _text(f"libraries.{name}", v) for name, v in _object(content, "libraries").items()},
        files={_inside(name): _file(name, entry) for name, entry in _object(content, "files").items()},
        feature_names=None if names is None else _texts("feature_names", names),
        sample=None if content.get("sample") is None else _sample(_object(content, "sample")),
    )


def _object(content: dict[str, Any], key: str) -> dict[str, Any]:
    return _require_object(key, content.get(key, {}))


def _require_object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)


def _inside(name: str) -> str:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"files: {name!r} must be a path inside the artifact")
    return name


def _file(name: str, entry: Any) -> FileDigest:
    if not isinstance(entry, dict) or not isinstance(entry.get("bytes"), int):
        raise ValueError(f"files.{name} must be an object with sha256 and bytes")
    return {"sha256": _text(f"files.{name}.sha256", entry.get("sha256")), "bytes": entry["bytes"]}


def _sample(entry: dict[str, Any]) -> Sample:
    return Sample(*(_text(f"sample.{key}", entry.get(key)) for key in ("content_type", "body")))
