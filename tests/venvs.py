"""Tools of other people that deploy, each in a virtual environment of its own, made once from its lock.

Used by the tests of the SageMaker Python SDK's local mode, and of the examples that deploy with it and with the CDK.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.dockerfile import ROOT

SDK_2, SDK_3, CDK = "sdk", "sdk-v3", "cdk"
"""Each names a lock beside this file and a folder in .venv."""
INSTALL_TIMEOUT_S = 900
NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'
"""A configuration file of the SageMaker SDK's."""


def python_with(name: str) -> Path:
    """The Python that has this tool; installs it where the lock is another one than before."""
    lock, folder = Path(__file__).with_name(f"requirements-{name}.lock"), ROOT / ".venv" / name
    stamp, wanted = folder / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        _install(lock, folder)
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def _install(lock: Path, folder: Path) -> None:
    """Without compiling, which is half of the time: most of its files are never imported."""
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-input", "--no-compile"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*pip, "--require-hashes", "-r", str(lock)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        assert done.returncode == 0, done.stdout + done.stderr
