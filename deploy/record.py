"""The journal of a deployment, .deploy/NAME.json: what was done when. Written by apply, read by up and status.

AWS itself is the truth: names and tags say what is there, so a lost journal costs nothing but its story.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import DeployError

FOLDER = Path(".deploy")


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
    def unfinished(self) -> list[dict[str, Any]]:
        """The steps of a run that did not come to its end."""
        return [] if self.told.get("finished") else list(self.told.get("steps", ()))

    def begin(self, verb: str, **about: Any) -> None:
        self.told = {"verb": verb, **about, "begun": _now(), "finished": None, "steps": []}
        self._write()

    def step(self, do: str, what: str) -> None:
        self.told["steps"].append({"do": do, "what": what, "at": _now()})
        self._write()

    def finish(self) -> None:
        self.told["finished"] = _now()
        self._write()

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
