"""What each process of many models counts: a table in shared memory, a slot a process.

The keeper gives slots out and adds up what is new in them; a process writes into its own. A slot is a tally and some
numbers more. It is never set back: its next user counts on from where the last one ended. Standard library only.
"""

from __future__ import annotations

import mmap
from array import array
from pathlib import Path
from time import monotonic

from container.tally import COUNT, DOUBLE_BYTES

FILE = "slots"
BUSY, USED_S, MEMORY, NUMBERS = range(COUNT, COUNT + 4)
SLOT_BYTES = -(-NUMBERS * DOUBLE_BYTES // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


class Slot:
    """The numbers of one process."""

    def __init__(self, run_dir: Path, number: int) -> None:
        with (run_dir / FILE).open("r+b") as file:
            table = mmap.mmap(file.fileno(), SLOT_BYTES, offset=number * SLOT_BYTES)
        self.number = number
        self.numbers = memoryview(table).cast("d")

    def note_busy(self, connections: int) -> None:
        """So many connections are open, of which one has just come or gone."""
        self.numbers[BUSY] = connections
        self.numbers[USED_S] = monotonic()

    @property
    def busy(self) -> bool:
        return self.numbers[BUSY] > 0

    @property
    def used_s(self) -> float:
        """When a request last began or ended."""
        return self.numbers[USED_S]

    @property
    def memory_bytes(self) -> int:
        return int(self.numbers[MEMORY])

    @memory_bytes.setter
    def memory_bytes(self, value: int) -> None:
        self.numbers[MEMORY] = value


class Seen(Slot):
    """A slot as the keeper sees it, who knows what it has added up already."""

    def __init__(self, run_dir: Path, number: int) -> None:
        super().__init__(run_dir, number)
        self._seen = array("d", self.numbers[:COUNT].tobytes())
        self._idle_since_s = -1.0

    def begin(self) -> None:
        """A process will use it."""
        self.note_busy(0)
        self.memory_bytes = 0

    def news(self) -> array[float] | None:
        """What was counted since the last time; None if nothing was."""
        busy, used_s = self.busy, self.used_s  # before the rest: what comes meanwhile is news the next time
        if used_s == self._idle_since_s:
            return None
        self._idle_since_s = -1.0 if busy else used_s
        now = array("d", self.numbers[:COUNT].tobytes())
        found = array("d", map(float.__sub__, now, self._seen))
        self._seen = now
        return found


class Slots:
    """The table, as the keeper has it. It grows with the processes that there are at once."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._free: list[Seen] = []
        self._count = 0

    def open(self) -> None:
        """Begin a table; that of a keeper before is left to processes that still use it."""
        (self._run_dir / FILE).unlink(missing_ok=True)
        (self._run_dir / FILE).touch()

    def take(self) -> Seen:
        """A slot for a new process. Raises OSError where there is no room for one."""
        if self._free:
            slot = self._free.pop()
        else:
            with (self._run_dir / FILE).open("r+b") as file:
                file.seek(self._count * SLOT_BYTES)
                file.write(bytes(SLOT_BYTES))  # not a hole: on a full disk, to fill one would end the process
            slot = Seen(self._run_dir, self._count)
            self._count += 1
        slot.begin()
        return slot

    def give_back(self, slot: Seen) -> None:
        self._free.append(slot)
