"""Many models: which are there. Load, list, get, unload; wake those that sleep when somebody asks for them.

Held by keeper, which calls it in one thread, so that it needs no locks. A model is served by one process or, once it is
crowded, by up to as many as there are workers; by none while it sleeps. Requests wait at its door meanwhile. What is
loaded is written down, for a keeper that has to start again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from bisect import bisect_right
from functools import partial
from itertools import count

from container import files, model_metrics
from container.door import FOLDER, Door
from container.errors import Conflict, InsufficientStorage, NotFound, Overloaded, ServingError
from container.places import CROWDED_IDLE_S, IDLE_S, Places, Wish, places_for
from container.processes import STOPPING, Processes, with_descriptors
from container.restarts import Restarts
from container.room import Room
from container.served import Done, Host, Process, Served, folder_of
from container.settings import Settings
from container.sleepers import Sleepers

log = logging.getLogger(__name__)

JOURNAL = "models.json"
NO_MEMORY_LEFT = "The model is loaded, and leaves no memory for requests. Unload another one first."


class Repository:
    """Names to models."""

    def __init__(self, settings: Settings, host: Host, room: Room, workers: int) -> None:
        """workers: processes of one model, at most."""
        self._settings = settings
        self._host = host
        self._room = room
        self._workers = workers
        self._models: dict[str, Served] = {}
        self._numbers = count()
        self._processes = Processes(settings, host, room, self)
        limit = places_for(settings.model_processes, workers, room.limit)
        self._places = Places(limit, room, self._processes, self._awake)
        self._restarts = Restarts(self._processes, workers, self._places.sleep)
        self._sleepers = Sleepers(settings, host, self._places, self._drop)
        self._metrics = model_metrics.Metrics(settings.run_dir)
        self._journal = settings.run_dir / JOURNAL

    # what clients ask for

    def load(self, name: str, url: str, request_id: str | None, done: Done) -> None:
        """Load a model. Raises ServingError if that cannot even begin: Conflict, DecodeError, InsufficientStorage."""
        if name in self._models:
            state = "loaded" if self._models[name].loaded else "being loaded"
            raise Conflict(f"The model is {state} already. Unload it first, or use another model_name.")
        model = self._served(name, url)
        self._models[name] = model
        loaded = partial(self._first_loaded, model, done)
        try:
            self._places.ask(Wish(model, loaded, request_id, memory_s=IDLE_S))
        except ServingError:
            self._drop(model)
            raise

    def get(self, name: str) -> Served:
        """A model that is loaded. Raises NotFound."""
        model = self._models.get(name)
        if model is None or not model.loaded:
            raise NotFound("No model of this name is loaded. POST /models loads one, GET /models lists them.")
        return model

    def door(self, name: str) -> Door | None:
        """Where requests for a model come in, if it is loaded."""
        model = self._models.get(name)
        return model.door if model is not None and model.loaded else None

    def list_models(self, after: str, limit: int) -> tuple[list[Served], bool]:
        """So many models whose names come after this one, in order; and whether there are more."""
        names = sorted(name for name, model in self._models.items() if model.loaded)
        start = bisect_right(names, after) if after else 0
        return [self._models[name] for name in names[start : start + limit]], start + limit < len(names)

    def unload(self, name: str, done: Done) -> None:
        """Forget a model at once; done when its last process is gone, and the memory with it. Raises NotFound."""
        self._drop(self.get(name), done)

    # the keeper's life

    def open(self) -> None:
        """Begin, with what a keeper had loaded that died: who asks for it wakes it."""
        shutil.rmtree(self._settings.run_dir / FOLDER, ignore_errors=True)
        self._processes.open()
        try:
            former: dict[str, str] = json.loads(self._journal.read_text())
        except (OSError, ValueError):
            return
        for name, url in former.items():
            with contextlib.suppress(ServingError):  # it is gone from the disk
                self._models[name] = self._served(name, url)
                self._open(self._models[name])
                self._sleepers.watch(self._models[name])

    def reload(self) -> None:
        """Replace every process by one that loads anew; the old one serves until the new one is ready."""
        for model in self._awake():
            self._restarts.add(model)

    def look_around(self, now_s: float) -> None:
        """Twice a second: end what has taken too long, count what was done."""
        self._processes.look_around(now_s)
        self._restarts.look_around()
        for process in self._processes:
            self.counted(process)
        self._metrics.write(self._models.values(), self._places.evictions, self._sleepers.wakes)

    def grant(self) -> None:
        """Let those be loaded who wait for others to go to sleep; to be called again after rest_s."""
        self._places.look_around()

    @property
    def rest_s(self) -> float | None:
        return self._places.rest_s

    def close(self) -> None:
        """End all processes; those that load are of no use any more."""
        self._sleepers.close()
        self._places.close(Overloaded(STOPPING))
        for process in self._processes:
            self._processes.close(process)

    @property
    def empty(self) -> bool:
        """Whether no process is left."""
        return not len(self._processes)

    def ended(self, pid: int, code: int) -> None:
        """The nursery tells how a process ended."""
        self._processes.ended(pid, code)

    # what processes say

    def crowded(self, model: Served) -> None:
        """Add a process, if a core may be free for it, and a place and memory, or somebody who was not used lately."""
        others = {process.model for process in self._processes if process.slot.busy} - {model}
        settled = all(process.state == "ready" for process in model.processes) and not self._places.wanted_for(model)
        if model.loaded and settled and len(model.processes) < self._workers and len(others) < self._workers:
            grown = partial(self._grown, model)
            with contextlib.suppress(ServingError):
                self._places.ask(Wish(model, grown, place_s=CROWDED_IDLE_S, memory_s=IDLE_S))

    def retires(self, process: Process, reason: str) -> None:
        log.info("model_retires", extra={"model": process.model.name, "reason": reason})
        self._restarts.replace(process.model, [process])

    def counted(self, process: Process) -> None:
        """Add up what it has counted since the last time."""
        self._metrics.add(process)

    def gone(self, process: Process, state: str) -> None:
        """A process has ended."""
        model = process.model
        if state == "ready":
            log.error("model_process_ended", extra={"model": model.name, "code": process.code})
        if not model.processes:
            self._left_alone(model, died=state == "ready")
        self._places.gone(process)

    def _left_alone(self, model: Served, *, died: bool) -> None:
        """The last process has gone."""
        if model.unloaded is not None:
            done, model.unloaded = model.unloaded, None
            model.door.close()
            done(None)
        elif model.loaded and died:
            self._sleepers.wake(model)
        elif model.loaded:
            self._sleepers.watch(model)

    # one model

    def _served(self, name: str, url: str) -> Served:
        """A model that is not loaded yet. Raises DecodeError, InsufficientStorage."""
        folder = folder_of(url, self._settings.models_dir)
        build = partial(Door.build, self._settings.run_dir, next(self._numbers), self._settings.queue_limit)
        return Served(name, url, str(folder), with_descriptors(build))

    def _first_loaded(self, model: Served, done: Done, error: ServingError | None) -> None:
        if error is None and self._room.limit is not None and self._room.free_bytes() < 0:
            error = InsufficientStorage(NO_MEMORY_LEFT)
        if error is None:
            self._open(model)
            self._write_down()
        elif self._models.get(model.name) is model:
            self._drop(model)
        done(error)

    def _open(self, model: Served) -> None:
        model.door.open(model.name)
        model.loaded = True

    def _drop(self, model: Served, unloaded: Done = lambda _error: None) -> None:
        """It is there no more; its processes finish what they have, then unloaded is called."""
        del self._models[model.name]
        was_loaded, model.loaded = model.loaded, False
        model.unloaded = unloaded
        model.door.remove()
        self._sleepers.forget(model)
        self._places.forget(model)
        if was_loaded:
            self._write_down()
        for process in list(model.processes):
            self._processes.close(process)
        if not model.processes:
            self._left_alone(model, died=False)

    def _awake(self) -> list[Served]:
        return [model for model in self._models.values() if model.loaded and model.processes]

    def _grown(self, model: Served, error: ServingError | None) -> None:
        if error is None:
            log.info("model_process_added", extra={"model": model.name, "processes": len(model.processes)})

    def _write_down(self) -> None:
        """For open."""
        loaded = {name: model.url for name, model in self._models.items() if model.loaded}
        files.put(self._journal, json.dumps(loaded))
