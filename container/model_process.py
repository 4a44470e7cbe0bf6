"""One process of one model of many: loads it, then answers the connections that are handed over.

Forked by nursery for each model. It is a worker like that of a single model, of the class that the settings choose,
whose listening socket is the model's queue. What it loads, imports and allocates ends with it: names of modules cannot
clash between models, and the memory is the system's again when the model is unloaded.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from container import logs, room
from container.answers import status_line
from container.connection import Connection
from container.errors import InsufficientStorage, ServingError, StartupError
from container.exchange import Environ, Exchange
from container.handover import Control, Inlet
from container.loop import Loop
from container.manifest import LIBRARIES
from container.model import Model
from container.request import Response
from container.settings import Settings
from container.tally import TALLY
from container.worker import EXIT, LoopWorker, ServingWorker, ThreadedWorker

log = logging.getLogger(__name__)

SHARED = frozenset((*LIBRARIES.values(), "pandas", "threadpoolctl"))
"""Roots of modules that the nursery imports once a model has needed them, so that later processes share them."""

CROWDED_BEATS = 2  # in a row with someone waiting, before another process is asked for
TOO_LITTLE_MEMORY = (
    "The model needs more memory than there is. Unload another model first, or send less in one request."
)


@dataclass(frozen=True)
class Order:
    """What the keeper wants loaded, and how much memory that may take: 0 for no limit."""

    name: str
    folder: str
    request_id: str | None
    memory_bytes: int


class Hosted:
    """The WSGI app of one model; every request that reaches it is an invocation."""

    def __init__(self, settings: Settings, model: Model, modules: list[str]) -> None:
        """modules: what was imported for it."""
        self.settings = settings
        self.model = model
        self.modules = modules
        self._counts = False

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not self._counts:  # most of a thousand models are not asked for hours: no file for these
            self._counts = True
            TALLY.open(self.settings.run_dir)
        body, code, headers = Exchange(environ).answer(self.invoke)
        start_response(status_line(code), list(headers.items()))
        return body

    def invoke(self, exchange: Exchange) -> Response:
        """Raises InsufficientStorage where memory was short, of the machine or of a GPU."""
        try:
            return self.model.invoke(exchange.request(self.settings))
        except Exception as error:
            if is_out_of_memory(error):
                log.error("out_of_memory", exc_info=error)
                raise InsufficientStorage(TOO_LITTLE_MEMORY) from error
            raise


class HandedConnection(Connection):
    """A connection whose request is there already, and the only one: it need not be waited for, nor watched."""

    _gone = False

    @property
    def gone(self) -> bool:
        return self._gone or (not self.watched and self._has_left())

    @gone.setter
    def gone(self, value: bool) -> None:
        self._gone = value

    def _read(self) -> memoryview:
        try:
            return self.loop.buffer[: self.sock.recv_into(self.loop.buffer)]
        except BlockingIOError:
            return super()._read()
        except ConnectionError:
            return self.loop.buffer[:0]


class ModelLoop(Loop):
    """The loop of such connections."""

    connection_class = HandedConnection


class ModelWorker(ServingWorker):
    """What a worker does otherwise when its model is one of many."""

    closing = False
    crowded_beats = 0
    retiring = False

    def __init__(self, app: Hosted, connections: socket.socket, channel: socket.socket, cfg: Any, log: Any) -> None:
        self.taken = threading.Event()
        self.inlet = Inlet(connections, self.wake)
        self.control = Control(channel, self.close)
        super().__init__(0, os.getppid(), [self.inlet, self.control], app, cfg.timeout, cfg, log)

    @property
    def alive(self) -> bool:
        """Until it is told to close and nobody waits any more."""
        return self._alive and not (self.closing and not self.inlet.waiting())

    @alive.setter
    def alive(self, value: bool) -> None:
        self._alive = value

    def wake(self) -> None:
        """Called for each connection that is taken."""
        if not self.taken.is_set():
            self.taken.set()

    def close(self) -> None:
        self.closing = True

    def load_wsgi(self) -> None:
        """Warm up the model, which is loaded already; then tell the keeper."""
        self.settings, self.wsgi = self.app.settings, self.app
        self._start_model()
        gc.collect()
        gc.freeze()
        self._bound_memory()
        room.confine(0)
        self.loaded = True
        self.control.tell(state="ready", memory_bytes=room.own_bytes(), modules=self.app.modules)

    def beat(self) -> None:
        """What the supervisor is told of a single model's worker, the keeper is told of this one."""
        if self.model.stuck():
            self.give_up()
        self.crowded_beats = self.crowded_beats + 1 if self.inlet.waiting() + self.model.waiting else 0
        if self.crowded_beats == CROWDED_BEATS:
            self.crowded_beats = 0
            self.control.tell(state="crowded")
        if not self.retiring and (reason := self._retirement()):
            self.retiring = True
            self.control.tell(state="retire", reason=reason)


class LoopModelWorker(ModelWorker, LoopWorker):
    """A loop and its watch, which sleep while nobody asks: a thousand idle models must cost nothing."""

    loop_class = ModelLoop
    seats, seat = None, 0  # it accepts on all of its sockets

    def _rest(self) -> None:
        time.sleep(self.period_s)
        self.taken.clear()
        if self.loop.busy_since_s is None and not self.loop.connections:
            self.taken.wait()

    def _check_parent(self) -> None:
        """Nothing: the nursery may be replaced at any time."""


class ThreadedModelWorker(ModelWorker, ThreadedWorker):
    """A thread a request. It takes no more than it can use: the rest waits where another process may take it."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        company = self.settings.max_batch_size if self.model.batched else 1
        self.worker_connections = self.settings.predict_threads + company


def serve(order: Order, connections: socket.socket, channel: socket.socket, predictor: ModuleType, cfg: Any,
          known: frozenset[str]) -> None:  # fmt: skip
    """The process's whole life; it does not return. known: the modules that the nursery had."""
    code = EXIT
    try:
        control = Control(channel, lambda: None)
        control.tell(state="loading", pid=os.getpid())
        _run(order, connections, channel, predictor, cfg, known)
        code = 0
    except BaseException as error:
        room.confine(0)
        _tell_failure(order, control, error)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _run(order: Order, connections: socket.socket, channel: socket.socket, predictor: ModuleType, cfg: Any,
         known: frozenset[str]) -> None:  # fmt: skip
    token = logs.request_id.set(order.request_id)
    if order.memory_bytes:
        room.confine(order.memory_bytes)
    settings = Settings.from_environ().of_model(Path(order.folder))
    model = Model.load(settings, predictor)
    modules = sorted(name for name in sys.modules.keys() - known if name.partition(".")[0] in SHARED)
    kind = ThreadedModelWorker if settings.threaded else LoopModelWorker
    worker = kind(Hosted(settings, model, modules), connections, channel, cfg, cfg.logger_class(cfg))
    logs.request_id.reset(token)
    worker.init_process()


def _tell_failure(order: Order, control: Control, error: BaseException) -> None:
    """Why there is no model: the whole story to the log, to the client what may be told."""
    phase = error.phase if isinstance(error, StartupError) else "load"
    cause = error.__cause__ or error
    log.error("model_failed", extra={"model": order.name, "phase": phase}, exc_info=error)
    if is_out_of_memory(error):
        told: ServingError = InsufficientStorage(TOO_LITTLE_MEMORY)
    else:
        told = ServingError(
            f"The model was not loaded: {phase} failed with {type(cause).__name__}. "
            "The log has the reason under this request_id, at the event model_failed."
        )
    control.tell(state="failed", status=int(told.status), detail=told.detail)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short. GPU libraries have errors of their own for it, none of which is a MemoryError."""
    return any(
        isinstance(each, MemoryError)
        or any(kind.__name__ in ("OutOfMemoryError", "ResourceExhaustedError") for kind in type(each).__mro__)
        or (isinstance(each, RuntimeError) and "out of memory" in str(each).lower())
        for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
