"""content_types, encoders, errors and worker; other names of it can be imported, not used."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import content_types, encoders, errors, worker

__all__ = ["content_types", "encoders", "errors", "worker"]

UNUSED = (
    "entry_point", "env", "files", "functions", "logging", "mapping", "modules", "mpi", "params", "process", "runner",
    "server", "trainer", "transformer",
)  # fmt: skip


class Absent(ModuleType):
    """A module of which nothing is here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(
            f"{self.__name__}.{name} is a part of managed containers and not of this one: paths are arguments of your "
            "functions, settings are in os.environ"
        )


def __getattr__(name: str) -> ModuleType:
    if name in UNUSED:
        return Absent(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
