"""Whether the memory holds another model, and how much of it a load may take. Called by processes and places.

A load that would not fit is refused before it begins, by what it took the last time, or by the size of its files. One
that takes more than there is gets a MemoryError of its own, since its process may not have more (confine), before the
kernel has to kill anyone. Standard library only.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from container.errors import InsufficientStorage
from container.resources import MEGABYTE, USABLE_MEMORY, Limit, directory_bytes, memory_limit, memory_used

VICTIM_LOADING, VICTIM = 1000, 500  # whom the kernel kills first, should it have to: proc(5), oom_score_adj


@dataclass
class Room:
    """The memory of the container, and who has been promised some of it."""

    limit: Limit | None = field(default_factory=memory_limit)
    sizes: dict[str, int] = field(default_factory=dict)
    """Folder -> the bytes that its model took when it was loaded."""
    promised: dict[Hashable, int] = field(default_factory=dict)

    def reserve(self, owner: Hashable, folder: str) -> int:
        """Keep room for a load; returns the bytes it may take at most, 0 for no limit. Raises InsufficientStorage."""
        if self.limit is None:
            return 0
        need, free = self._need_bytes(folder), self.free_bytes()
        if need >= free:
            raise InsufficientStorage(
                f"The model takes about {need // MEGABYTE} MB, and {max(0, free) // MEGABYTE} MB of "
                f"{self.limit.value // MEGABYTE} ({self.limit.source}) are free. Unload another model first."
            )
        self.promised[owner] = need
        return free

    def lacking_bytes(self, folder: str) -> int:
        """What somebody would have to give back before this could be loaded."""
        return max(0, self._need_bytes(folder) - self.free_bytes()) if self.limit is not None else 0

    def settle(self, owner: Hashable, folder: str, took_bytes: int = 0) -> None:
        """The load has ended; what it took is known from now on."""
        self.promised.pop(owner, None)
        if took_bytes:
            self.sizes[folder] = took_bytes

    def free_bytes(self) -> int:
        """What nobody uses and nobody was promised, less what requests need."""
        limit = self.limit or Limit(0, "")
        return int(USABLE_MEMORY * limit.value) - memory_used(limit) - sum(self.promised.values())

    def _need_bytes(self, folder: str) -> int:
        return self.sizes.get(folder) or directory_bytes(Path(folder))


def confine(more_bytes: int) -> None:
    """Let this process take so much more memory and no more, and be the first to go should the kernel be short.

    0 lifts the limit.
    """
    _be_victim(VICTIM_LOADING if more_bytes else VICTIM)
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = _status_bytes("VmData") + more_bytes if more_bytes else hard
        resource.setrlimit(resource.RLIMIT_DATA, (soft if hard < 0 else min(soft, hard), hard))


def own_bytes() -> int:
    """The memory that this process shares with no other; 0 where the kernel does not say."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _be_victim(score: int) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(score))


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
