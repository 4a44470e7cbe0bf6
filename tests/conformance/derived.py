"""Small images made FROM the twin's or another one, for what only an image itself can get wrong. Used by test_*.py."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.image.container import buildkit_environment, docker


def derived(base: str, *lines: str, files: Mapping[str, str] | None = None) -> str:
    """The tag of an image FROM base with these lines of a Dockerfile. files: what its COPY finds. Built once."""
    context = {"Dockerfile": "\n".join((f"FROM {base}", *lines, "")), **(files or {})}
    tag = f"conformance-twin-derived:{hashlib.sha256(repr(sorted(context.items())).encode()).hexdigest()[:12]}"
    if not docker("images", "-q", tag):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in context.items():
                Path(folder, name).write_text(text)
            command = ["docker", "build", "-q", "-t", tag, folder]
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
