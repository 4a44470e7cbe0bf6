"""Files that another process reads while they are written. Called by exposition, model_metrics and repository."""

from __future__ import annotations

import contextlib
from pathlib import Path


def put(path: Path, text: str) -> None:
    """Write a file in one step. A disk that is full, of bodies perhaps, leaves the former one: it ends no server."""
    partial = path.with_name(f"{path.name}.partial")
    with contextlib.suppress(OSError):
        partial.write_text(text)
        partial.replace(path)
