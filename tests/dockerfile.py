"""What the Dockerfile copies from the repository: the image's file set. Used by tests/image and tests/system."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
DOCKERFILE = ROOT / "Dockerfile"


def copied_paths(dockerfile: Path = DOCKERFILE) -> list[str]:
    """The sources of all COPY lines that read the repository, as written."""
    copies = [line.split()[1:] for line in dockerfile.read_text().splitlines() if line.startswith("COPY ")]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def copied_files() -> list[Path]:
    """Every file that those paths hold and .dockerignore lets through, relative to the repository, sorted."""
    found = [ROOT / name for name in copied_paths()]
    files = [each for path in found for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()]
    return sorted(path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts)


def labelled_for_websockets() -> bool:
    """Whether the image says that it speaks WebSocket."""
    label = "LABEL com.amazonaws.sagemaker.capabilities.bidirectional-streaming="
    return any(line.startswith(label) for line in DOCKERFILE.read_text().splitlines())


def content_hash() -> str:
    """Twelve characters that change with anything that goes into the image."""
    digest = hashlib.sha256()
    for path in (Path("Dockerfile"), Path(".dockerignore"), *copied_files()):
        digest.update(f"{path}\0".encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()[:12]


def stage(folder: Path) -> None:
    """Copy what the image gets of the repository to where the Dockerfile would put it below /opt/program."""
    for path in copied_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
