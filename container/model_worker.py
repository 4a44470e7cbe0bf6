"""The workers of one model of many, in a process of its own: those of a single model, with a door for their socket.

Made by model_process. What a single model's worker tells the supervisor, these tell the keeper, over their channel and
in their slot. A thousand idle ones must cost nothing: they sleep until somebody comes.
"""

from __future__ import annotations

import gc
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from container import room
from container.channel import Control
from container.connection import Connection
from container.door import Door
from container.loop import IDLE_S, Loop
from container.slots import Slot
from container.worker import LoopWorker, ServingWorker, ThreadedWorker

SLEEP_S = 60.0
WEIGH_S = 10.0  # between two looks at the own memory: each takes a millisecond
CROWDED_BEATS = 2  # in a row with someone waiting, before another process is asked for


class ShortConnection(Connection):
    """A connection whose request is mostly there already, and the only one: it need not be waited for, nor watched."""

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

    connection_class = ShortConnection

    def __init__(self, *parts: Any, note_busy: Callable[[int], None], company: int, **limits: Any) -> None:
        """note_busy: told how many connections are open, when one has come or gone. company: jobs of a prediction."""
        super().__init__(*parts, **limits)
        self.note_busy = note_busy
        self.company = company

    def _accept_one(self, listener: socket.socket) -> bool:
        """No more than can be predicted at once: the rest waits where another process may take it."""
        return self.lane.waiting < self.company and super()._accept_one(listener)

    def greet(self, sock: socket.socket, listener: socket.socket) -> None:
        self.note_busy(len(self.connections) + 1)
        super().greet(sock, listener)

    def forget(self, connection: Connection) -> None:
        super().forget(connection)
        self.note_busy(len(self.connections))

    def _resume_ready(self, timeout_s: float) -> None:
        """It has one door, and is told on its channel when to close: it need not look around each second."""
        idle = timeout_s >= IDLE_S and not self.lane.waiting and self._rests_until_s == math.inf and self.lines is None
        super()._resume_ready(SLEEP_S if idle else timeout_s)


class ModelWorker(ServingWorker):
    """What a worker does otherwise when its model is one of many."""

    closing = False
    crowded_beats = 0
    retiring = False

    def __init__(self, app: Any, door: Door, channel: socket.socket, slot: Slot, cfg: Any, log: Any) -> None:
        self.door = door
        self.slot = slot
        self.control = Control(channel, self.close)
        super().__init__(0, os.getppid(), [door, self.control], app, cfg.timeout, cfg, log)

    @property
    def alive(self) -> bool:
        """Until it is told to close and nobody waits any more."""
        return self._alive and not (self.closing and not self.door.knocked())

    @alive.setter
    def alive(self, value: bool) -> None:
        self._alive = value

    @property
    def company(self) -> int:
        """Requests that one prediction may be for."""
        return self.settings.max_batch_size if self.model.batched else 1

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
        self._note_memory()
        self.control.tell(state="ready", modules=self.app.modules)

    def beat(self) -> None:
        """What the supervisor is told of a single model's worker, the keeper is told of this one."""
        if self.model.stuck():
            self.give_up()
        self.crowded_beats = self.crowded_beats + 1 if self.door.knocked() or self.model.waiting else 0
        if self.crowded_beats == CROWDED_BEATS:
            self.crowded_beats = 0
            self.control.tell(state="crowded")
        if not self.retiring and (reason := self._retirement()):
            self.retiring = True
            self.control.tell(state="retire", reason=reason)
        if time.monotonic() - self.weighed_s > WEIGH_S:
            self._note_memory()

    def _note_memory(self) -> None:
        self.weighed_s = time.monotonic()
        self.slot.memory_bytes = room.own_bytes()


class LoopModelWorker(ModelWorker, LoopWorker):
    """A loop and its watch, which sleep while nobody asks: a thousand idle models must cost nothing."""

    seats, seat = None, 0  # it accepts on all of its sockets

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.busy = threading.Event()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.loop_class = partial(ModelLoop, note_busy=self._note_busy, company=self.company)

    def _note_busy(self, connections: int) -> None:
        self.slot.note_busy(connections)
        if not self.busy.is_set():
            self.busy.set()

    def _rest(self) -> None:
        time.sleep(self.period_s)
        self.busy.clear()
        if self.loop.busy_since_s is None and not self.loop.connections:
            self.busy.wait()

    def _check_parent(self) -> None:
        """Nothing: the nursery may be replaced at any time."""


class ThreadedModelWorker(ModelWorker, ThreadedWorker):
    """A thread a request. It takes no more than it can use: the rest waits where another process may take it."""

    @property
    def nr_conns(self) -> int:
        """gunicorn's own count of open connections, which the keeper sees too."""
        return self._connections

    @nr_conns.setter
    def nr_conns(self, value: int) -> None:
        self._connections = value
        self.slot.note_busy(value)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.worker_connections = self.settings.predict_threads + self.company
