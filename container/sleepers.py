"""Models without a process, and how they wake: whoever knocks at such a model's door waits there until it is loaded.

Called by the repository. All who knock meanwhile wait for the same load. If it fails they are told why, by the keeper
itself; a model that cannot be loaded any more is lost, one that there was no room for sleeps on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from container.errors import DeadlineExceeded, InsufficientStorage, Overloaded, ServingError
from container.places import Places, Wish
from container.served import Host, Served
from container.settings import Settings

log = logging.getLogger(__name__)

PASSING = (InsufficientStorage, Overloaded, DeadlineExceeded)
"""Reasons why a model is not there just now."""


class Sleepers:
    """Watches their doors."""

    def __init__(self, settings: Settings, host: Host, places: Places, lose: Callable[[Served], None]) -> None:
        """lose: called with a model that cannot be loaded any more."""
        self._settings = settings
        self._host = host
        self._places = places
        self._lose = lose
        self._closed = False
        self.wakes = 0

    def watch(self, model: Served) -> None:
        """Wake it when somebody knocks."""
        if not model.watched and not self._closed:
            model.watched = True
            self._host.listen_to(model.door, partial(self._knocked, model))

    def forget(self, model: Served) -> None:
        """Wake it no more."""
        if model.watched:
            model.watched = False
            self._host.forget_channel(model.door)

    def wake(self, model: Served) -> None:
        """Load it again, for as long as who knocked may wait."""
        began_s = monotonic()
        woken = partial(self._woken, model, began_s)
        if self._closed:
            return
        try:
            self._places.ask(Wish(model, woken, until_s=began_s + self._settings.deadline_s))
        except ServingError as error:
            woken(error)

    def close(self) -> None:
        """From now on nobody is woken."""
        self._closed = True

    def _knocked(self, model: Served, *_: Any) -> None:
        if model.watched:  # not unloaded in this same turn of the loop
            self.forget(model)
            self.wake(model)

    def _woken(self, model: Served, began_s: float, error: ServingError | None) -> None:
        if not model.loaded:  # unloaded meanwhile
            return
        model.trouble = error
        if error is None:
            self.wakes += 1
            log.info("model_wakes", extra={"model": model.name, "load_s": round(monotonic() - began_s, 3)})
            return
        for sock in model.door.let_in():
            sock.setblocking(False)
            self._host.turn_away(sock, model.door)
        if isinstance(error, PASSING):
            self.watch(model)
            return
        log.error("model_lost", extra={"model": model.name, "reason": error.detail})
        self._lose(model)
