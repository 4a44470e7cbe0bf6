"""The journal of a deployment, .deploy/NAME.json: what was done when, and how it ended. By apply; for up and status.

AWS itself is the truth: names and tags say what is there, so a lost journal costs nothing but its story.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from deploy.errors import DeployError

FOLDER = Path(".deploy")

End = Literal["done", "failed", "interrupted", "left"]
"""`left`: as --no-wait leaves it, with something still to be done."""


@dataclass
class Journal:
    path: Path
    told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, folder: Path = FOLDER) -> Journal:
        """An unreadable journal is an empty one."""
        path = folder / f"{name}.json"
        try:
            told = json.loads(path.read_text())
        except (OSError, ValueError):
            told = {}
        return cls(path, told if isinstance(told, dict) else {})

    @property
    def end(self) -> End | None:
        """None while a run goes on, and for ever where it was killed."""
        known: End | None = self.told.get("end")
        return known or ("done" if self.told.get("finished") else None)

    @property
    def unfinished(self) -> list[dict[str, Any]]:
        """The steps of a run that has not done all that it was to do."""
        return [] if self.end == "done" else list(self.told.get("steps", ()))

    def begin(self, verb: str, **about: Any) -> None:
        self.told = {"verb": verb, **about, "begun": _now(), "finished": None, "end": None, "steps": []}
        self._write()

    def step(self, do: str, what: str) -> None:
        self.told["steps"].append({"do": do, "what": what, "at": _now()})
        self._write()

    def finish(self, end: End = "done", reason: str = "") -> None:
        """Of the run that was begun last, by this process or before; nothing where that is done already."""
        if self.told and self.end != "done":
            self.told |= {"finished": _now() if end in ("done", "failed") else None, "end": end, "reason": reason}
            self._write()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Writes down how it ends where it does not come to its good end."""
        try:
            yield
        except DeployError as error:
            self.finish("failed", error.reason)
            raise
        except KeyboardInterrupt:
            self.finish("interrupted")
            raise

    def _write(self) -> None:
        """Whole or not at all, whenever the process may end. Raises DeployError, at first before anything is made."""
        beside = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(exist_ok=True)
            beside.write_text(json.dumps(self.told, indent=1) + "\n")
            beside.replace(self.path)
        except OSError as error:
            step = (
                "Run it in a folder that you may write to, on a disk with space: the journal of what was done is there."
            )
            raise DeployError(f"{self.path} cannot be written: {error.strerror}.", step) from None


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
