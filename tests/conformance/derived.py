"""Small images made from the twin's, for faults that stand in the image itself. Used by test_*.py."""

from __future__ import annotations

import hashlib
import subprocess

from tests.image.container import buildkit_environment, docker


def derived(base: str, *lines: str) -> str:
    """The tag of an image FROM base with these lines of a Dockerfile; built once for each text."""
    text = "\n".join((f"FROM {base}", *lines, ""))
    tag = f"conformance-twin-derived:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not docker("images", "-q", tag):
        command = ["docker", "build", "-q", "-t", tag, "-"]
        done = subprocess.run(
            command, env=buildkit_environment(), input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return tag


def without_scripts(image: str) -> str:
    """The twin that does not run code/inference.py, and says nothing of what it is for."""
    return derived(
        image,
        "RUN printf 'def load(model_dir):\\n    return None\\n' > /opt/twin/scripts.py\n"
        'LABEL sagemaker-conformance.claims=""\n',
    )
