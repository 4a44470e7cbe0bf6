"""One process of one model of many: loads it, then answers who comes in by its door.

Forked by nursery for each model. It is a worker like that of a single model, of the class that the settings choose,
whose listening socket is the model's door. What it loads, imports and allocates ends with it: names of modules cannot
clash between models, and the memory is the system's again when the model is unloaded.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from container import logs, room
from container.answers import status_line
from container.channel import Control
from container.door import Door
from container.errors import InsufficientStorage, ServingError, StartupError
from container.exchange import Environ, Exchange
from container.manifest import LIBRARIES
from container.model import Model
from container.model_loading import load_model
from container.model_worker import LoopModelWorker, ThreadedModelWorker
from container.request import Response
from container.settings import Settings
from container.slots import Slot
from container.tally import TALLY
from container.worker import EXIT

log = logging.getLogger(__name__)

SHARED = frozenset((*LIBRARIES.values(), "pandas", "threadpoolctl"))
"""Roots of modules that the nursery imports once a model has needed them, so that later processes share them."""

TOO_LITTLE_MEMORY = (
    "The model needs more memory than there is. Unload another model first, or send less in one request."
)


@dataclass(frozen=True)
class Order:
    """What the keeper wants loaded, where it counts, and how much memory it may take: 0 for no limit."""

    name: str
    folder: str
    slot: int
    request_id: str | None
    memory_bytes: int


class Hosted:
    """The WSGI app of one model; every request that reaches it is an invocation."""

    def __init__(self, settings: Settings, model: Model, modules: list[str]) -> None:
        """modules: what was imported for it."""
        self.settings = settings
        self.model = model
        self.modules = modules

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
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


def serve(order: Order, door: Door, channel: socket.socket, predictor: ModuleType, cfg: Any,
          known: frozenset[str]) -> None:  # fmt: skip
    """The process's whole life; it does not return. known: the modules that the nursery had."""
    code = EXIT
    try:
        control = Control(channel, lambda: None)
        control.tell(state="loading", pid=os.getpid())
        _run(order, door, channel, predictor, cfg, known)
        code = 0
    except BaseException as error:
        room.confine(0)
        _tell_failure(order, control, error)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _run(order: Order, door: Door, channel: socket.socket, predictor: ModuleType, cfg: Any,
         known: frozenset[str]) -> None:  # fmt: skip
    token = logs.request_id.set(order.request_id)
    if order.memory_bytes:
        room.confine(order.memory_bytes)
    settings = Settings.from_environ().of_model(Path(order.folder))
    slot = Slot(settings.run_dir, order.slot)
    TALLY.numbers = slot.numbers
    model = load_model(settings, predictor)
    modules = sorted(name for name in sys.modules.keys() - known if name.partition(".")[0] in SHARED)
    kind = ThreadedModelWorker if settings.threaded else LoopModelWorker
    worker = kind(Hosted(settings, model, modules), door, channel, slot, cfg, cfg.logger_class(cfg))
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
