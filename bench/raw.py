"""What a run leaves: every measurement of every round as raw JSON, and the machine that it was taken on.

Written by races and growth after each server, so that an interrupted run keeps what it has; read by report.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.load import Figures


@dataclass(frozen=True)
class Measurement:
    """The figures of one cell of one contestant in one round."""

    peer: str
    cell: str
    round: int
    figures: Figures


@dataclass
class Result:
    """A run. kind: races or growth."""

    kind: str
    conditions: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    """Environment -> package -> version."""

    def write(self, path: Path) -> None:
        """One line a measurement, so that a new run is a readable diff."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(self.text())
        partial.replace(path)

    def text(self) -> str:
        whole = asdict(self)
        lines = ",\n".join("  " + json.dumps(each) for each in whole.pop("measurements"))
        parts = [f" {json.dumps(name)}: {json.dumps(content)}" for name, content in whole.items()]
        return "{\n" + ",\n".join([*parts, f' "measurements": [\n{lines}\n ]']) + "\n}\n"

    @classmethod
    def read(cls, path: Path) -> Result:
        """Raises OSError, ValueError and TypeError for what is not a result."""
        content = json.loads(path.read_text())
        measurements = [Measurement(**each) for each in content.pop("measurements")]
        return cls(**content, measurements=measurements)


def conditions(**options: Any) -> dict[str, Any]:
    """The machine, the programs and the options of a run."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _says("nginx", "-v").rpartition("/")[2],
        "commit": _says("git", "describe", "--always", "--dirty", "--exclude=*"),
        **options,
    }


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _says(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip()
