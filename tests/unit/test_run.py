"""python -m local_test.run, which `make serve` is: what it says before the server's log begins."""

from __future__ import annotations

import subprocess
import sys

from tests.unit.shell import PROJECT_DIR


def test_the_address_and_how_to_ask_it_are_said_first() -> None:
    """The log is JSON for machines. A port that is none ends the server at once."""
    command = [sys.executable, "-m", "local_test.run", "--port", "70000", "--model-dir", "build/ner"]
    done = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=60, check=False)
    first, *log = done.stdout.splitlines()
    assert first == (
        "build/ner on http://127.0.0.1:70000; Ctrl-C drains it. Elsewhere: PORT=70000 local_test/predict.sh PAYLOAD"
    )
    assert (done.returncode, "startup_failed" in log[-1]) == (1, True)
