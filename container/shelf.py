"""Which adapters there are, as files in the run folder, so that every worker knows.

Used by adapters and adapter_routes.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from container.errors import Conflict, NotFound

IS_LOADED = "An adapter of that name is loaded. Unload it first, or change it with POST /adapters/NAME."
NO_ADAPTER = "No adapter of that name is loaded. Load it with POST /adapters."


@dataclass(frozen=True)
class Adapter:
    """One of them, as it was ordered."""

    name: str
    src: str
    """Its folder, from the root or from that of the model."""
    preload: bool = True
    """Whether a worker loads it before it is asked for it."""
    pin: bool = False
    """Whether it stays loaded when others have to go."""
    version: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Of this order: the same name may come to stand for something else."""

    @property
    def early(self) -> bool:
        return self.preload or self.pin


class Shelf:
    """A file each. Its name is a digest, since that of an adapter is no path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[Adapter]:
        """In order of their names."""
        found = []
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # another worker was asked to unload it
                found.append(_read(path))
        return iter(sorted(found, key=lambda adapter: adapter.name))

    def find(self, name: str) -> Adapter:
        """Raises NotFound."""
        try:
            return _read(self._path(name))
        except FileNotFoundError:
            raise NotFound(NO_ADAPTER) from None

    def add(self, adapter: Adapter) -> None:
        """Raises Conflict if there is one of that name."""
        try:
            self._write(adapter, os.link)
        except FileExistsError:
            raise Conflict(IS_LOADED) from None

    def replace(self, adapter: Adapter) -> None:
        self._write(adapter, os.replace)

    def remove(self, name: str) -> Adapter:
        """Raises NotFound."""
        adapter = self.find(name)
        self._path(name).unlink(missing_ok=True)
        return adapter

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def _path(self, name: str) -> Path:
        return self._folder / f"{sha256(name.encode()).hexdigest()}.json"

    def _write(self, adapter: Adapter, into: Callable[[Path, Path], None]) -> None:
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / adapter.version
        try:
            partial.write_text(json.dumps(asdict(adapter)))
            into(partial, self._path(adapter.name))
        finally:
            partial.unlink(missing_ok=True)


def _read(path: Path) -> Adapter:
    return Adapter(**json.loads(path.read_text()))
