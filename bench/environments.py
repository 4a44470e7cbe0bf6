"""A virtual environment for each peer, made once, so that none meets another's packages. Called by races."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.contestants import MODEL_PINS, PINS, Peer

PROJECT_DIR = Path(__file__).absolute().parent.parent
BUILD_DIR = PROJECT_DIR / "build" / "bench"

VERSIONS = (
    "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
)


class NotInstalled(RuntimeError):
    """pip refused; the text says where its words are and how to go on without the peer."""


def make(peers: Iterable[Peer]) -> None:
    """Install what these peers need and lack. Raises NotInstalled."""
    for name in dict.fromkeys(peer.environment for peer in peers if peer.environment):
        folder = BUILD_DIR / name
        wanted = "\n".join([*PINS[name], *MODEL_PINS]) + "\n"
        stamp = folder / "installed.txt"
        if not stamp.is_file() or stamp.read_text() != wanted:
            print(f"installing {', '.join(PINS[name])} into {folder.relative_to(PROJECT_DIR)}, once", file=sys.stderr)
            _install(folder, wanted)
            stamp.write_text(wanted)


def _install(folder: Path, wanted: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(wanted)
    python = folder / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
    with (folder / "install.log").open("w") as log:
        command = [str(python), "-m", "pip", "install", "--no-input", "-r", str(folder / "requirements.txt")]
        done = subprocess.run(command, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise NotInstalled(
            f"pip could not install {folder.name}: see {folder / 'install.log'}, or leave it out of PEERS"
        )


def versions(python: Path) -> dict[str, str]:
    """Package -> version, as installed for this Python."""
    done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return dict(sorted(found.items()))
