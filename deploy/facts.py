"""What has to be known beyond deploy.toml: gathered once a run by __main__, given to requests/."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    git_sha: str = ""
    artifact_bytes: Mapping[str, int] = field(default_factory=dict)
    """Sizes by address; what is not there is not known."""


def git_sha() -> str:
    """The commit of this folder, marked as build_and_push.sh does where more than it is there; empty outside of git."""
    sha = _git("rev-parse", "HEAD")
    return f"{sha}-dirty" if sha and _git("status", "--porcelain") else sha


def _git(*words: str) -> str:
    """What git prints; nothing where it fails."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
