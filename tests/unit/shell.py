"""Runs our shell scripts with the small programs of tests/programs in place of docker and the AWS CLI.

Used by the tests of the scripts; tests/image runs the same scripts against a real engine and a real registry.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PROJECT_DIR = Path(__file__).absolute().parents[2]
PROGRAMS_DIR = PROJECT_DIR / "tests" / "programs"
LOCAL_TEST_DIR = PROJECT_DIR / "local_test"


class Shell:
    """Runs a script with only the stand-in programs and the system's tools on PATH."""

    def __init__(self, folder: Path) -> None:
        self.docker, self.aws = folder / "docker", folder / "aws"
        for state in (self.docker, self.aws, folder / "tools"):
            state.mkdir()
        (self.aws / "region").write_text("eu-central-1\n")
        self.path = f"{PROGRAMS_DIR}:{tools_without_docker(folder / 'tools')}"

    def run(self, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        base = {"PATH": self.path, "HOME": "/nonexistent", "FAKE_DOCKER": str(self.docker), "FAKE_AWS": str(self.aws)}
        words = [str(word) for word in command]
        return subprocess.run(words, env=base | environment, capture_output=True, text=True, timeout=60, check=False)

    def build_and_push(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(PROJECT_DIR / "build_and_push.sh", *arguments, **environment)

    def calls(self, program: str, command: str) -> list[str]:
        """What was asked of `docker` or `aws`: the lines that start with the command."""
        path = getattr(self, program) / "calls"
        return [line for line in path.read_text().splitlines() if line.startswith(command)] if path.exists() else []


def tools_without_docker(folder: Path) -> Path:
    """The few programs that the scripts call, so that a real docker or aws beside them is never found."""
    names = (
        "awk",
        "bash",
        "cat",
        "curl",
        "dirname",
        "env",
        "git",
        "grep",
        "id",
        "mktemp",
        "realpath",
        "rm",
        "sed",
        "sleep",
    )
    for name in (*names, "tail", "tee", "mkdir", "touch", "tr", "find", "ls"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder
