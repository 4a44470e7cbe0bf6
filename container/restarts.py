"""Other processes in the place of those that there are: at SIGHUP, and for one that has served enough.

Called by the repository. The old process serves until the new one is ready.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from container.errors import InsufficientStorage, Overloaded, ServingError
from container.processes import Processes
from container.served import Process, Served

log = logging.getLogger(__name__)

Retire = Callable[[Served], None]


class Restarts:
    """Models whose turn has not come yet: not all of a thousand load at once."""

    def __init__(self, processes: Processes, at_once: int, sleep: Callable[[Served], None]) -> None:
        """sleep: for a model that there is no room for twice; it loads anew when somebody asks for it."""
        self._processes = processes
        self._at_once = at_once
        self._sleep = sleep
        self._waiting: deque[Served] = deque()
        self._under_way = 0

    def add(self, model: Served) -> None:
        self._waiting.append(model)
        self.look_around()

    def look_around(self) -> None:
        """Begin with the next ones."""
        while self._waiting and self._under_way < self._at_once:
            model = self._waiting.popleft()
            old = [process for process in model.processes if process.state == "ready"]
            if old and model.loaded:
                self._under_way += 1
                self.replace(model, old, self._restarted)

    def replace(self, model: Served, old: list[Process], then: Callable[[], None] = lambda: None) -> None:
        """Start a process, and close the old ones when it is ready."""
        replaced = partial(self._replaced, model, old, then)
        try:
            self._processes.start(model, replaced)
        except ServingError as error:
            replaced(error)

    def _restarted(self) -> None:
        self._under_way -= 1

    def _replaced(
        self, model: Served, old: list[Process], then: Callable[[], None], error: ServingError | None
    ) -> None:
        then()
        if error is None:
            for process in old:
                if process in model.processes:
                    self._processes.close(process)
        elif model.loaded and isinstance(error, Overloaded):
            self._waiting.append(model)  # look_around tries again
            return
        elif model.loaded and isinstance(error, InsufficientStorage):
            self._sleep(model)
        self.look_around()
