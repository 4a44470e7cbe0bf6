"""The process that model processes are forked from: it has predictor.py and the libraries, but never a model.

Started by keeper. A fork costs milliseconds and shares what is imported here, so a small model costs what it alone
needs. What a model needed first is imported here after it. It has one thread, or it does not import: forks would lack
the others. When it ends, models that are loaded go on.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from gunicorn.config import Config

from container import gunicorn_conf, model_process, preload, status
from container.channel import receive, send
from container.door import Door
from container.errors import StartupError
from container.handlers import load_predictor
from container.model_process import Order
from container.settings import Settings
from container.signatures import ARGUMENTS

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Serve the keeper at this descriptor until it closes it."""
    channel = socket.socket(fileno=int(arguments[0]))
    settings = Settings.from_environ()
    try:
        predictor = load_for_many()
    except StartupError as error:
        log.critical("worker_failed", extra={"phase": error.phase}, exc_info=error)
        fields = status.failure_fields(error.phase, str(error), error.__cause__ or error)
        send(channel, {"state": "failed", "failure": fields})
        return status.EXIT_FAILED
    Nursery(channel, predictor, settings).run()
    return 0


def load_for_many() -> ModuleType:
    """predictor.py, for the models that have no code of their own. Raises StartupError."""
    predictor = load_predictor()
    if callable(getattr(predictor, "app", None)) and not any(hasattr(predictor, name) for name in ARGUMENTS):
        raise StartupError(
            "handlers",
            "predictor.py brings its own app, which cannot serve many models: write model_fn and predict_fn, "
            "or unset SAGEMAKER_MULTI_MODEL",
        )
    return predictor


class Nursery:
    """Takes orders, forks, tells of those who ended."""

    def __init__(self, channel: socket.socket, predictor: ModuleType, settings: Settings) -> None:
        self._channel = channel
        self._predictor = predictor
        self._settings = settings
        self._cfg = configuration()
        self._known = frozenset(sys.modules)

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())
        self._settle()
        send(self._channel, {"state": "ready"})
        while True:
            message, descriptors = receive(self._channel)
            if message is None:
                return
            if "learn" in message:
                self._learn(message["learn"])
            else:
                door, channel = descriptors
                self._fork(Order(**message), Door(fileno=door), socket.socket(fileno=channel))

    def _fork(self, order: Order, door: Door, channel: socket.socket) -> None:
        try:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                self._channel.close()
                model_process.serve(order, door, channel, self._predictor, self._cfg, self._known)
        except OSError as error:  # no process, or no memory for one
            detail = f"No process could be made for the model: {error.strerror}. Unload another model first."
            send(channel, {"state": "failed", "status": 507, "detail": detail})
        finally:
            door.close()
            channel.close()

    def _learn(self, names: Iterable[str]) -> None:
        """Import what a model needed, for those that follow. Not without preload, and not at the cost of a thread."""
        if not self._settings.preload:
            return
        for name in names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        if threading.active_count() > 1:
            log.warning("preload_off", extra={"reason": f"importing {', '.join(names)[:200]} starts threads"})
            os.set_inheritable(self._channel.fileno(), True)
            preload.restart_without()
        self._known = frozenset(sys.modules)
        self._settle()

    def _settle(self) -> None:
        gc.collect()
        gc.freeze()  # the collector would write into pages that are shared

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError, OSError):
            while True:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                send(self._channel, {"state": "ended", "pid": pid, "code": os.waitstatus_to_exitcode(wait_status)})


def configuration() -> Any:
    """gunicorn's settings as gunicorn_conf has them."""
    cfg = Config()
    for name in cfg.settings:
        if hasattr(gunicorn_conf, name):
            cfg.set(name, getattr(gunicorn_conf, name))
    return cfg


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
