"""A model of many and its processes, as the keeper knows them. Used by processes, places, restarts and repository."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from container.door import Door
from container.errors import DecodeError, InsufficientStorage, Overloaded, ServingError
from container.slots import Seen

NOT_NOW = "Models cannot be loaded just now. Try again."
ENDED = "The process of the model ended with code {code} while it loaded; the log may say why."
KILLED = "The process of the model was killed while it loaded, mostly for want of memory. Unload another model first."

Done = Callable[[ServingError | None], None]
"""Called when what was asked for is done, or why it is not."""


@dataclass
class Counts:
    """What a model has done since it was loaded, in whichever processes."""

    answers: dict[str, int] = field(default_factory=dict)
    """By class of status: 2xx, 4xx, 5xx."""
    predict_s: float = 0.0
    starts: int = 0
    evictions: int = 0


@dataclass(eq=False)
class Served:
    """A model: what the platform calls it, where it lies, where requests for it come in, who serves it."""

    name: str
    url: str
    folder: str
    door: Door
    processes: list[Process] = field(default_factory=list)
    loaded: bool = False
    unloaded: Done | None = None
    watched: bool = False
    """Whether the keeper waits for somebody to knock at the door: nobody serves it."""
    trouble: ServingError | None = None
    """Why it could not be woken when that was last tried."""
    counts: Counts = field(default_factory=Counts)

    @property
    def used_s(self) -> float:
        """When a request last began or ended."""
        return max((process.slot.used_s for process in self.processes), default=0.0)

    @property
    def memory_bytes(self) -> int:
        """What its processes share with no other."""
        return sum(process.slot.memory_bytes for process in self.processes)

    @property
    def idle(self) -> bool:
        """Whether it has processes, all of them ready, and no request is there or waits."""
        ready = [process.state == "ready" and not process.slot.busy for process in self.processes]
        return bool(ready) and all(ready) and not self.door.knocked()


@dataclass(eq=False)
class Process:
    """One process of a model: loading, then ready, then closing; lost when it ended and nobody knows yet how."""

    model: Served
    channel: socket.socket
    slot: Seen
    done: Done | None
    state: str = "loading"
    pid: int = 0
    started_s: float = 0.0
    deadline_s: float = 0.0
    error: ServingError | None = None
    code: int | None = None

    def answer(self, error: ServingError | None) -> None:
        """Tell who waits for it, once."""
        done, self.done = self.done, None
        if done is not None:
            done(error)

    def how_it_ended(self) -> ServingError:
        """The error of one that ended while it loaded, and did not say why."""
        if not self.pid:
            return Overloaded(NOT_NOW)
        if self.code == -signal.SIGKILL:
            return InsufficientStorage(KILLED)
        return ServingError(ENDED.format(code=self.code))


class Host(Protocol):
    """What all these need of the keeper."""

    def order(self, message: dict[str, object], *descriptors: int) -> None: ...
    def learn(self, modules: list[str]) -> None: ...
    def listen_to(self, sock: socket.socket, callback: Callable[..., None]) -> None: ...
    def forget_channel(self, sock: socket.socket) -> None: ...
    def process_ended(self, pid: int) -> None: ...
    def turn_away(self, sock: socket.socket, door: Door) -> None: ...


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
