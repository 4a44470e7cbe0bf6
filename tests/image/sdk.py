"""The SageMaker Python SDK, version 2 (306 MB), in a virtual environment of its own, made once from its lock.

Used by the tests of its local mode and of the example that deploys with it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.dockerfile import ROOT

LOCK = Path(__file__).with_name("requirements-sdk.lock")
SDK = ROOT / ".venv" / "sdk"
INSTALL_TIMEOUT_S = 900
NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'
"""A configuration file of the SDK's."""


def sdk_python() -> Path:
    """The Python that has the SDK; installs it where the lock is another one than before."""
    stamp, wanted = SDK / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        _install()
        stamp.write_text(wanted)
    return SDK / "bin" / "python"


def _install() -> None:
    pip = [str(SDK / "bin" / "python"), "-m", "pip", "install", "-q", "--no-input", "--require-hashes", "-r", str(LOCK)]
    for command in ([sys.executable, "-m", "venv", "--clear", str(SDK)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        assert done.returncode == 0, done.stdout + done.stderr
