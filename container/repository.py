"""Many models: which are there, and the processes that serve them: load, list, get, unload, hand over.

Held by keeper, which calls it in one thread, so that it needs no locks. A model is served by one process or, once it is
crowded, by up to as many as there are workers. A process that dies is replaced; meanwhile requests wait in the model's
queue. What is loaded is written down, for a keeper that has to start again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from container.errors import (
    Conflict,
    DeadlineExceeded,
    DecodeError,
    InsufficientStorage,
    NotFound,
    Overloaded,
    ServingError,
)  # fmt: skip
from container.handover import Handover, pair, receive, send
from container.room import Room
from container.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

JOURNAL = "models.json"
EXIT_CODE_WAIT_S = 1.0  # the nursery tells it within milliseconds; one that has died itself never does
NOT_NOW = "Models cannot be loaded just now. Try again."
STOPPING = "The server is stopping, or the model was unloaded. Try again."
ENDED = "The process of the model ended with code {code} while it loaded; the log may say why."
KILLED = "The process of the model was killed while it loaded, mostly for want of memory. Unload another model first."

Done = Callable[[ServingError | None], None]
"""Called when what was asked for is done, or why it is not."""


class Host(Protocol):
    """What the repository needs of the keeper."""

    def order(self, message: dict[str, Any], *descriptors: int) -> None: ...
    def learn(self, modules: list[str]) -> None: ...
    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None: ...
    def forget_channel(self, sock: socket.socket) -> None: ...
    def process_ended(self, pid: int) -> None: ...


@dataclass(eq=False)
class Served:
    """A model: what the platform calls it, where it lies, who waits for it, who serves it."""

    name: str
    url: str
    folder: str
    handover: Handover = field(default_factory=Handover)
    processes: list[Process] = field(default_factory=list)
    loaded: bool = False
    unloaded: Done | None = None


@dataclass(eq=False)
class Process:
    """One process of a model: loading, then ready, then closing; lost when it ended and nobody knows yet how."""

    model: Served
    channel: socket.socket
    done: Done | None
    state: str = "loading"
    pid: int = 0
    deadline_s: float = 0.0
    error: ServingError | None = None
    code: int | None = None

    def answer(self, error: ServingError | None) -> None:
        """Tell who waits for it, once."""
        done, self.done = self.done, None
        if done is not None:
            done(error)


class Repository:
    """Names to models."""

    def __init__(self, settings: Settings, host: Host, room: Room, workers: int) -> None:
        """workers: processes of one model, at most."""
        self._settings = settings
        self._host = host
        self._room = room
        self._workers = workers
        self._models: dict[str, Served] = {}
        self._processes: set[Process] = set()
        self._restarts: deque[Served] = deque()
        self._restarting = 0
        self._journal = settings.run_dir / JOURNAL

    # what clients ask for

    def load(self, name: str, url: str, request_id: str | None, done: Done) -> None:
        """Load a model. Raises ServingError if that cannot even begin: Conflict, DecodeError, InsufficientStorage."""
        if name in self._models:
            state = "loaded" if self._models[name].loaded else "being loaded"
            raise Conflict(f"The model is {state} already. Unload it first, or use another model_name.")
        folder = folder_of(url, self._settings.models_dir)
        model = with_descriptors(partial(Served, name, url, str(folder)))
        try:
            self._start(model, partial(self._first_loaded, model, done), request_id)
        except ServingError:
            model.handover.close()
            raise
        self._models[name] = model

    def get(self, name: str) -> Served:
        """A model that is loaded. Raises NotFound."""
        model = self._models.get(name)
        if model is None or not model.loaded:
            raise NotFound("No model of this name is loaded. POST /models loads one, GET /models lists them.")
        return model

    def list_models(self, after: str, limit: int) -> tuple[list[Served], bool]:
        """So many models whose names come after this one, in order; and whether there are more."""
        names = sorted(name for name, model in self._models.items() if model.loaded)
        start = bisect_right(names, after) if after else 0
        return [self._models[name] for name in names[start : start + limit]], start + limit < len(names)

    def unload(self, name: str, done: Done) -> None:
        """Forget a model at once; done when its last process is gone, and the memory with it. Raises NotFound."""
        model = self.get(name)
        del self._models[name]
        self._write_down()
        model.unloaded = done
        for process in list(model.processes):
            self._close(process)
        self._finish(model)

    def hand_over(self, name: str, connection: socket.socket) -> bool:
        """Give a connection to who serves the model; False if there is none, or too many wait."""
        model = self._models.get(name)
        return model is not None and model.loaded and model.handover.put(connection)

    # the keeper's life

    def load_former(self) -> None:
        """Load what a keeper had loaded that died. Requests for it wait."""
        try:
            former: dict[str, str] = json.loads(self._journal.read_text())
        except (OSError, ValueError):
            return
        for name, url in former.items():
            with contextlib.suppress(ServingError):  # it is gone from the disk
                folder = folder_of(url, self._settings.models_dir)
                model = with_descriptors(partial(Served, name, url, str(folder), loaded=True))
                self._models[name] = model
                self._restart(model)

    def reload(self) -> None:
        """Replace every process by one that loads anew; the old one serves until the new one is ready."""
        for model in list(self._models.values()):
            self._restart(model)

    def look_around(self, now_s: float) -> None:
        """End what has taken too long."""
        for process in [each for each in self._processes if 0 < each.deadline_s < now_s]:
            if process.state == "lost":
                self._conclude(process)
                continue
            process.error = DeadlineExceeded("The model took longer than SAGEMAKER_STARTUP_TIMEOUT to load.")
            if process.pid:
                _kill(process.pid)
            else:
                self._lose(process)
        self._restart_next()

    def close(self) -> None:
        """End all processes; those that load are of no use any more."""
        for process in list(self._processes):
            self._close(process)

    @property
    def empty(self) -> bool:
        """Whether no process is left."""
        return not self._processes

    def ended(self, pid: int, code: int) -> None:
        """The nursery tells how a process ended."""
        for process in self._processes:
            if process.pid == pid:
                process.code = code
                if process.state == "lost":
                    self._conclude(process)
                return

    # processes

    def _start(self, model: Served, done: Done, request_id: str | None = None) -> None:
        """Order one more process. Raises ServingError."""
        channel, far = with_descriptors(pair)
        channel.setblocking(False)
        process = Process(model, channel, done, deadline_s=monotonic() + self._settings.startup_timeout_s)
        try:
            memory_bytes = self._room.reserve(process, model.folder)
            order = {
                "name": model.name, "folder": model.folder, "request_id": request_id, "memory_bytes": memory_bytes,
            }  # fmt: skip
            self._host.order(order, model.handover.exit.fileno(), far.fileno())
        except ServingError:
            self._room.settle(process, model.folder)
            channel.close()
            raise
        finally:
            far.close()
        model.processes.append(process)
        self._processes.add(process)
        self._host.listen_to(channel, partial(self._take, process))

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
            self._grow(process.model)
        elif message["state"] == "retire":
            log.info("model_retires", extra={"model": process.model.name, "reason": message["reason"]})
            self._replace(process.model, [process])

    def _ready(self, process: Process, message: dict[str, Any]) -> None:
        self._room.settle(process, process.model.folder, message["memory_bytes"])
        if process.state == "closing":
            return
        process.state, process.deadline_s = "ready", 0.0
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
        model, state = process.model, process.state
        self._processes.discard(process)
        model.processes.remove(process)
        self._room.settle(process, model.folder)
        if process.pid:
            self._host.process_ended(process.pid)
        process.answer(process.error or how_it_ended(process))
        if state == "ready":
            log.error("model_process_ended", extra={"model": model.name, "code": process.code})
            if not model.processes:
                self._restart(model)
        self._finish(model)

    def _close(self, process: Process) -> None:
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

    def _finish(self, model: Served) -> None:
        if model.unloaded is not None and not model.processes:
            model.handover.close()
            done, model.unloaded = model.unloaded, None
            done(None)

    # more of them, and others instead

    def _first_loaded(self, model: Served, done: Done, error: ServingError | None) -> None:
        if error is None and self._room.limit is not None and self._room.free_bytes() < 0:
            error = InsufficientStorage(
                "The model is loaded, and leaves no memory for requests. Unload another one first."
            )
            self._close(model.processes[0])
        if error is None:
            model.loaded = True
            self._write_down()
        elif self._models.get(model.name) is model:
            del self._models[model.name]
            if not model.processes:
                model.handover.close()
            else:
                model.unloaded = lambda _error: None
        done(error)

    def _grow(self, model: Served) -> None:
        """Add a process, if there may be one more and the memory holds it."""
        states = [process.state for process in model.processes]
        if len(states) < self._workers and "loading" not in states and model.loaded:
            with contextlib.suppress(InsufficientStorage):
                self._start(model, partial(self._grown, model))

    def _grown(self, model: Served, error: ServingError | None) -> None:
        if error is None:
            log.info("model_process_added", extra={"model": model.name, "processes": len(model.processes)})

    def _replace(self, model: Served, old: list[Process], then: Callable[[], None] = lambda: None) -> None:
        """Start a process, and close the old ones when it is ready."""
        replaced = partial(self._replaced, model, old, then)
        try:
            self._start(model, replaced)
        except ServingError as error:
            replaced(error)

    def _restart(self, model: Served) -> None:
        """Give the model a new process when it is its turn: not all of a thousand at once."""
        self._restarts.append(model)
        self._restart_next()

    def _restart_next(self) -> None:
        while self._restarts and self._restarting < self._workers:
            model = self._restarts.popleft()
            if self._models.get(model.name) is model:
                self._restarting += 1
                self._replace(model, [each for each in model.processes if each.state == "ready"], self._restarted)

    def _restarted(self) -> None:
        self._restarting -= 1

    def _replaced(
        self, model: Served, old: list[Process], then: Callable[[], None], error: ServingError | None
    ) -> None:
        then()
        there = self._models.get(model.name) is model
        if error is None:
            for process in old:
                if process in self._processes:
                    self._close(process)
        elif there and isinstance(error, Overloaded):
            self._restarts.append(model)  # look_around tries again
            return
        elif there and not model.processes:
            log.error("model_lost", extra={"model": model.name, "reason": error.detail})
            del self._models[model.name]
            model.handover.close()
            self._write_down()
        self._restart_next()

    def _write_down(self) -> None:
        """For load_former, in one step."""
        loaded = {name: model.url for name, model in self._models.items() if model.loaded}
        partial_file = self._journal.with_suffix(".partial")
        partial_file.write_text(json.dumps(loaded))
        partial_file.replace(self._journal)


def folder_of(url: str, models_dir: Path) -> Path:
    """The folder that a url names. Raises DecodeError unless it lies inside the models folder, links followed."""
    folder = Path(url.removeprefix("file://"))
    if ".." in folder.parts or "\0" in url:
        raise DecodeError("url must not hold '..'; name the folder by its plain path.")
    try:
        inside = (models_dir / folder).resolve(strict=True)
    except (OSError, RuntimeError):
        raise DecodeError("url names no folder that is there.") from None
    if not inside.is_dir() or not inside.is_relative_to(models_dir.resolve()) or inside == models_dir.resolve():
        raise DecodeError("url must name a folder inside models in SAGEMAKER_BASE_DIR, and no link may lead out of it.")
    return inside


def how_it_ended(process: Process) -> ServingError:
    """The error of one that ended while it loaded, and did not say why."""
    if not process.pid:
        return Overloaded(NOT_NOW)
    return (
        InsufficientStorage(KILLED)
        if process.code == -signal.SIGKILL
        else ServingError(ENDED.format(code=process.code))
    )


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
