"""How many workers there are, and should be: plans them, hears of them, asks gunicorn for one more or one fewer.

Made by supervisor, in PID 1, which brings what workers report. With many models there is one: the keeper.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from container import resources, status
from container.children import Child
from container.settings import Settings

log = logging.getLogger("supervisor")

ENDED_WHILE_LOADING = (
    "three workers in a row ended while they loaded the model, and did not say why. gunicorn's lines before may: "
    "SIGKILL is mostly want of memory ({limit}), so give the container more or set SAGEMAKER_MODEL_SERVER_WORKERS=1; "
    "SIGSEGV is a library that crashed"
)
FAILED_LOADS = 3  # gunicorn would start a worker that the kernel kills for its memory again and again


class Workforce:
    """The workers of one gunicorn, which is started, asked and lost by the supervisor."""

    gunicorn: Child

    def __init__(self, settings: Settings) -> None:
        self.cpus, self.memory = resources.cpu_limit(), resources.memory_limit()
        self.artifact_bytes = resources.directory_bytes(settings.model_dir)
        self.plan = resources.plan_workers(settings.workers, self.cpus, self.memory, self.artifact_bytes)
        if settings.multi_model:  # each model has a process of its own, and more when it is crowded
            self.plan = replace(
                self.plan, initial=self.plan.workers, reason=f"{self.cpus.source}; at most, of each model"
            )
        self.wanted = 1 if settings.multi_model else self.plan.initial
        self.reported: dict[str, Any] | None = None
        """What the last worker that could not start said."""
        self._started_with = self.wanted
        self._replacing = False  # a worker more than wanted was asked for
        self._reloaded = False  # workers may be added again
        self._board = status.WorkerBoard(stale_s=max(settings.watchdog_s, status.SILENCE_S))

    def tell(self) -> None:
        """Log the plan."""
        about = {"cpus": self.cpus.value, "artifact_bytes": self.artifact_bytes}
        log.info("workers", extra={**vars(self.plan), **about})

    def environment(self) -> Mapping[str, str]:
        """What gunicorn is told of the plan."""
        threads = self.plan.thread_environment(os.environ)
        return {**threads, "SAGEMAKER_MODEL_SERVER_WORKERS": str(self.plan.workers)}

    @property
    def known(self) -> dict[int, status.Worker]:
        """By pid."""
        return self._board.workers

    def ready(self) -> int:
        """Workers that would serve a request now."""
        return len(self._board.ready(time.monotonic()))

    def take(self, message: dict[str, Any], *, serving: bool) -> None:
        """Note what a worker reports."""
        if message["state"] == "failed":
            self.reported = message.get("failure")
        elif message["state"] == "retire" and serving:
            self._replace(message)
        self._board.take(message, time.monotonic())

    def is_hopeless(self, ready: int, *, loading: bool) -> bool:
        """Whether another try would end like the last: code that raises at the start, or several deaths in a row."""
        if loading and self.reported is not None:
            return True
        return (loading or not ready) and self._board.failed_loads >= FAILED_LOADS

    def failure(self) -> dict[str, Any]:
        """Why it is hopeless."""
        limit = f"{self.memory.source} {self.memory.value // resources.MEGABYTE} MB" if self.memory else "limit unknown"
        return self.reported or status.failure_fields("load", ENDED_WHILE_LOADING.format(limit=limit))

    def is_complete(self, ready: int) -> bool:
        """Whether all that are wanted have loaded, and no other one is to be added. Adds one that is."""
        return ready >= self.wanted and not self._add()

    def adjust(self, ready: int) -> None:
        """While it serves: end the worker whose successor is ready; after a reload add those that the memory holds."""
        if self._replacing and ready > self.wanted:
            self._replacing = False
            self.gunicorn.send(signal.SIGTTOU)
        if self._reloaded and ready >= self.wanted:
            self._reloaded = self._add()

    def reload(self) -> None:
        self._replacing, self._reloaded = False, True  # all are replaced now
        self.wanted = self._started_with  # gunicorn forgets whom it was told to add
        self.gunicorn.send(signal.SIGHUP)

    def started(self) -> None:
        """gunicorn was started with those that are wanted."""
        self._started_with = self.wanted

    def lost(self) -> None:
        """gunicorn has ended, and they with it."""
        self._board.workers.clear()
        self._replacing = False

    def _add(self) -> bool:
        """After a measured first worker, grow one at a time while the memory holds another."""
        fit, reason = resources.workers_that_fit(self.plan, self.memory, self._board.memory_bytes())
        if self.plan.initial == self.plan.workers or self.wanted >= fit:
            return False
        self.wanted += 1
        log.info("worker_added", extra={"workers": self.wanted, "of": fit, "reason": reason})
        self.gunicorn.send(signal.SIGTTIN)
        return True

    def _replace(self, message: dict[str, Any]) -> None:
        """Start one worker more; gunicorn ends its oldest when that one is ready. A second one has to wait."""
        if not self._replacing:
            log.info("worker_retires", extra={"worker": message["pid"], "reason": message.get("reason")})
            self._replacing = True
            self.gunicorn.send(signal.SIGTTIN)
