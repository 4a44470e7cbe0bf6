"""Starts the processes of models, hears what they say, ends them. Used by the repository, which says what follows.

A process tells over its channel that it is loading, ready, crowded or should be replaced; its end is that of the
channel. The nursery, which has forked it, tells the exit code.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

from container.channel import pair, receive, send
from container.errors import DeadlineExceeded, InsufficientStorage, Overloaded, ServingError
from container.room import Room
from container.served import Done, Host, Process, Served
from container.settings import Settings
from container.slots import Slots

log = logging.getLogger(__name__)

T = TypeVar("T")

EXIT_CODE_WAIT_S = 1.0  # the nursery tells it within milliseconds; one that has died itself never does
STOPPING = "The server is stopping, or the model was unloaded. Try again."


class Owner(Protocol):
    """Who is told what processes say."""

    def crowded(self, model: Served) -> None: ...
    def retires(self, process: Process, reason: str) -> None: ...
    def counted(self, process: Process) -> None: ...
    def gone(self, process: Process, state: str) -> None: ...


class Processes:
    """All processes of all models."""

    def __init__(self, settings: Settings, host: Host, room: Room, owner: Owner) -> None:
        self._settings = settings
        self._host = host
        self._room = room
        self._owner = owner
        self._slots = Slots(settings.run_dir)
        self._all: set[Process] = set()

    def open(self) -> None:
        """To be called before the first start."""
        self._slots.open()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Any:
        return iter(list(self._all))

    def start(self, model: Served, done: Done, request_id: str | None = None) -> None:
        """Order one more process. Raises ServingError: InsufficientStorage, Overloaded."""
        channel, far = with_descriptors(pair)
        channel.setblocking(False)
        slot, now_s = with_descriptors(self._slots.take), monotonic()
        process = Process(
            model, channel, slot, done, started_s=now_s, deadline_s=now_s + self._settings.startup_timeout_s
        )
        try:
            memory_bytes = self._room.reserve(process, model.folder)
            order = {
                "name": model.name, "folder": model.folder, "slot": slot.number, "request_id": request_id,
                "memory_bytes": memory_bytes,
            }  # fmt: skip
            self._host.order(order, model.door.fileno(), far.fileno())
        except ServingError:
            self._room.settle(process, model.folder)
            self._slots.give_back(slot)
            channel.close()
            raise
        finally:
            far.close()
        model.processes.append(process)
        self._all.add(process)
        self._host.listen_to(channel, partial(self._take, process))

    def close(self, process: Process) -> None:
        """Let a process finish what it has; end it at once if it has nothing yet."""
        if process.state == "closing":
            return
        loading, process.state = process.state in ("loading", "lost"), "closing"
        process.error = process.error or Overloaded(STOPPING)
        process.deadline_s = monotonic() + self._settings.drain_timeout_s
        if loading and process.pid:
            _kill(process.pid)
        with contextlib.suppress(OSError):
            send(process.channel, {"do": "close"})

    def ended(self, pid: int, code: int) -> None:
        """The nursery tells how a process ended."""
        for process in self._all:
            if process.pid == pid:
                process.code = code
                if process.state == "lost":
                    self._conclude(process)
                return

    def look_around(self, now_s: float) -> None:
        """End what has taken too long."""
        for process in [each for each in self._all if 0 < each.deadline_s < now_s]:
            if process.state == "lost":
                self._conclude(process)
                continue
            process.error = DeadlineExceeded("The model took longer than SAGEMAKER_STARTUP_TIMEOUT to load.")
            if process.pid:
                _kill(process.pid)
            else:
                self._lose(process)

    def _take(self, process: Process, *_: Any) -> None:
        """A message of a process, or its end."""
        message, _descriptors = receive(process.channel)
        if message is None:
            self._lose(process)
        elif message["state"] == "loading":
            process.pid = message["pid"]
            if process.state == "closing":
                _kill(process.pid)
        elif message["state"] == "ready":
            self._ready(process, message)
        elif message["state"] == "failed":
            process.error = as_error(message["status"], message["detail"])
        elif message["state"] == "crowded":
            self._owner.crowded(process.model)
        elif message["state"] == "retire":
            self._owner.retires(process, message["reason"])

    def _ready(self, process: Process, message: dict[str, Any]) -> None:
        self._room.settle(process, process.model.folder, process.slot.memory_bytes)
        if process.state == "closing":
            return
        process.state, process.deadline_s = "ready", 0.0
        process.model.counts.starts += 1
        if message["modules"]:
            self._host.learn(message["modules"])
        process.answer(None)

    def _lose(self, process: Process) -> None:
        """Its end of the channel has closed: it is gone, and its memory with it."""
        self._host.forget_channel(process.channel)
        process.channel.close()
        if process.state == "loading" and process.error is None and process.code is None and process.pid:
            process.state, process.deadline_s = "lost", monotonic() + EXIT_CODE_WAIT_S  # ended() tells how
            return
        self._conclude(process)

    def _conclude(self, process: Process) -> None:
        self._owner.counted(process)
        self._all.discard(process)
        process.model.processes.remove(process)
        self._room.settle(process, process.model.folder)
        self._slots.give_back(process.slot)
        if process.pid:
            self._host.process_ended(process.pid)
        state = process.state
        process.answer(process.error or process.how_it_ended())
        self._owner.gone(process, state)


def as_error(status: int, detail: str) -> ServingError:
    error = InsufficientStorage(detail) if status == InsufficientStorage.status else ServingError(detail)
    error.status = status
    return error


def with_descriptors(make: Callable[[], T]) -> T:
    """What make makes. Raises InsufficientStorage where the process has no descriptor left for it."""
    try:
        return make()
    except OSError as error:
        raise InsufficientStorage(f"No more models fit: {error.strerror}. Unload another model first.") from error


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
