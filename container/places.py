"""Who has a process: as many as there are places for, and as the memory holds. Who was used longest ago goes to sleep.

Called by the repository. A model that sleeps has no process, and is listed and loaded as ever; sleepers wakes it when
somebody asks. A model with a request is never put to sleep. docs/decisions/0009 says why the platform does not do that.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from container.errors import InsufficientStorage, Overloaded, ServingError
from container.processes import STOPPING, Processes
from container.resources import USABLE_MEMORY, Limit
from container.room import Room
from container.served import Done, Process, Served

log = logging.getLogger(__name__)

PROCESS_BYTES = 14 * 1024 * 1024
"""What a process takes beside its model, measured: pages of shared libraries that it had to copy."""
PROCESSES_SHARE = 0.5  # of the memory, for processes: the other half is for the models in them
IDLE_S = 60.0  # then memory is taken from a model for a load, before that is refused
CROWDED_IDLE_S = 10.0  # then a place is, for one more process of a crowded model
ASK_AGAIN_S = 0.02
ALL_TAKEN = "All {limit} places for models' processes (SERVING_MODEL_PROCESSES) are in use. Unload another model first."


@dataclass(eq=False)
class Wish:
    """A process that somebody wants for a model, and until when; how long those must have idled that go to sleep for
    its place, or for its memory."""

    model: Served
    done: Done
    request_id: str | None = None
    until_s: float = 0.0
    place_s: float = 0.0
    memory_s: float = 0.0


def places_for(asked: int, workers: int, memory: Limit | None) -> int:
    """Processes that there may be at once; 0 for no limit."""
    if asked or memory is None:
        return asked
    return max(2 * workers, int(PROCESSES_SHARE * USABLE_MEMORY * memory.value / PROCESS_BYTES))


class Places:
    """Wishes, granted at once or when somebody has gone to sleep for them."""

    def __init__(self, limit: int, room: Room, processes: Processes, awake: Callable[[], list[Served]]) -> None:
        """limit of processes; 0 for none. awake: all models that may be put to sleep."""
        self.limit = limit
        self._room = room
        self._processes = processes
        self._awake = awake
        self._wishes: deque[Wish] = deque()
        self._leaving: set[Process] = set()
        self.evictions = 0

    @property
    def full(self) -> bool:
        return 0 < self.limit <= len(self._processes)

    @property
    def rest_s(self) -> float | None:
        """How soon look_around should be called; None if it need not be."""
        return ASK_AGAIN_S if self._wishes else None

    def ask(self, wish: Wish) -> None:
        """Start a process now, or soon. Raises ServingError where neither can be; else wish.done is told."""
        short = self._try(wish)
        if short is None:
            return
        if not self._waits(wish, short):
            raise short
        self._wishes.append(wish)

    def look_around(self) -> None:
        """Grant what can be granted by now, in the order in which it was wished for."""
        while self._wishes:
            short = self._try(self._wishes[0])
            if short is not None and self._waits(self._wishes[0], short):
                return
            wish = self._wishes.popleft()
            if short is not None:
                wish.done(short)

    def gone(self, process: Process) -> None:
        """A process has ended."""
        self._leaving.discard(process)
        self.look_around()

    def wanted_for(self, model: Served) -> bool:
        """Whether a process is wished for it already."""
        return any(wish.model is model for wish in self._wishes)

    def forget(self, model: Served) -> None:
        """Nobody wishes anything for it any more."""
        for wish in [wish for wish in self._wishes if wish.model is model]:
            self._wishes.remove(wish)
            wish.done(Overloaded(STOPPING))

    def close(self, error: ServingError) -> None:
        """Nothing more is granted."""
        while self._wishes:
            self._wishes.popleft().done(error)

    def sleep(self, model: Served) -> None:
        """End its processes, which finish what they have."""
        log.info("model_sleeps", extra={"model": model.name, "idle_s": round(monotonic() - model.used_s, 3)})
        self.forget(model)
        model.counts.evictions += 1
        self.evictions += 1
        for process in list(model.processes):
            self._end(process)

    def _end(self, process: Process) -> None:
        self._leaving.add(process)
        self._processes.close(process)

    def _try(self, wish: Wish) -> ServingError | None:
        """Start a process; or why that cannot be."""
        if self.full:
            return InsufficientStorage(ALL_TAKEN.format(limit=self.limit))
        try:
            self._processes.start(wish.model, wish.done, wish.request_id)
        except ServingError as error:
            return error
        return None

    def _waits(self, wish: Wish, short: ServingError) -> bool:
        """Whether it may be granted later: somebody goes to sleep for it, or may before it is too late."""
        if isinstance(short, InsufficientStorage) and (self._leaving or self._make_room(wish)):
            return True
        return isinstance(short, (InsufficientStorage, Overloaded)) and monotonic() < wish.until_s

    def _make_room(self, wish: Wish) -> bool:
        """Put the model to sleep that was used longest ago, unless all of them together would not be enough."""
        now_s, full = monotonic(), self.full
        idle_s = wish.place_s if full else wish.memory_s
        awake = [model for model in self._awake() if model is not wish.model]
        idle = [model for model in awake if model.idle and now_s - model.used_s >= idle_s]
        if not full and sum(model.memory_bytes for model in idle) < self._room.lacking_bytes(wish.model.folder):
            return False
        if idle:
            self.sleep(min(idle, key=lambda model: model.used_s))
        return bool(idle) or (full and not idle_s and self._take_back(awake))

    def _take_back(self, awake: list[Served]) -> bool:
        """End a process of a model that has more than one; it finishes what it has."""
        for model in awake:
            ready = [process for process in model.processes if process.state == "ready"]
            if len(ready) > 1:
                log.info("model_process_taken_back", extra={"model": model.name, "processes": len(ready) - 1})
                self._end(ready[-1])
                return True
        return False
