"""Images of the tests, built once each: of a folder, or FROM another one for what only an image can get wrong."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.image.container import buildkit_environment, docker


def derived(base: str, *lines: str, files: Mapping[str, str] | None = None) -> str:
    """The tag of an image FROM base with these lines of a Dockerfile. files: what its COPY finds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"Dockerfile": "\n".join((f"FROM {base}", *lines, "")), **(files or {})}.items():
            Path(folder, name).write_text(text)
        return built("conformance-twin-derived", Path(folder))


def built(name: str, folder: Path, **arguments: str) -> str:
    """The tag of the image of this folder with these build arguments: built once, its tag is the hash of all that."""
    digest = hashlib.sha256(repr(sorted(arguments.items())).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    tag = f"{name}:{digest.hexdigest()[:12]}"
    if not docker("images", "-q", tag):
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        command = ["docker", "build", "-q", "-t", tag, *given, str(folder)]
        done = subprocess.run(command, env=buildkit_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return tag


def without_scripts(image: str) -> str:
    """The twin that does not run code/inference.py, and says nothing of what it is for."""
    return derived(
        image,
        "RUN printf 'def load(model_dir):\\n    return None\\n' > /opt/twin/scripts.py",
        'LABEL sagemaker-conformance.claims=""',
    )
