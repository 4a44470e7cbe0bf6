"""Adapters: what stands for the model where a request names one; loaded and unloaded while the server runs.

Used by model, and by adapter_routes; imported only where there is an adapter_fn. Source of the header: AWS's model
hosting container standards, sagemaker/lora/constants.py
"""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from container import resources
from container.errors import InsufficientStorage
from container.lane import Job, Lane, Timings
from container.request import Context
from container.settings import Settings
from container.shelf import Adapter, Shelf
from container.signatures import Function

log = logging.getLogger(__name__)

IDENTIFIER = "X-Amzn-SageMaker-Adapter-Identifier"
NO_MEMORY = "The memory does not hold this adapter. Unload another one first."


@dataclass
class Held:
    """What this worker has loaded."""

    adapter: Adapter
    adapted: Any
    """What adapter_fn returned: predict_fn gets it in the model's place."""
    memory_bytes: int
    """By how much the process grew meanwhile."""


class Adapters:
    """Those of the shelf that this worker has loaded, the one that was used longest ago first."""

    lane: Lane
    """Set at start: adapter_fn runs when no prediction does."""

    def __init__(self, settings: Settings, model: Any, adapter_fn: Function) -> None:
        self.shelf = Shelf(settings.run_dir / "adapters")
        self._settings = settings
        self._model = model
        self._adapter_fn = adapter_fn
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._entry = threading.Lock()

    def of(self, headers: Mapping[str, str], deadline: float) -> Any:
        """What serves a request with these headers: the model, where they name no adapter.

        Raises NotFound, and what load raises.
        """
        name = headers.get(IDENTIFIER)
        if not name:
            return self._model
        adapter = self.shelf.find(name)
        adapted = self._find(adapter)
        return self.load(adapter, deadline) if adapted is None else adapted

    def load(self, adapter: Adapter, deadline: float) -> Any:
        """Load it, unless it is. Raises what adapter_fn and the lane raise, InsufficientStorage for a MemoryError."""
        return self.lane.submit(Job(self._load, adapter), deadline, Timings())

    def load_early(self) -> None:
        """Those that are to be loaded before anybody asks, as others were when this worker was not there yet."""
        for adapter in self.shelf:
            if adapter.early:
                try:
                    self.load(adapter, math.inf)
                except Exception as error:  # the model serves, and who asks for the adapter is told
                    log.error("adapter_failed", exc_info=error, extra={"adapter": adapter.name})

    def forget(self, name: str) -> None:
        """Let go of it. Requests that are on their way keep it to their end."""
        with self._entry:
            held = self._held.pop(name, None)
        if held is not None:
            log.info("adapter_unloaded", extra={"adapter": name})

    def forget_gone(self) -> None:
        """Let go of what another worker was asked to unload."""
        with self._entry:
            names = list(self._held)
        for name in names:
            if not self.shelf.has(name):
                self.forget(name)

    @property
    def memory_bytes(self) -> int:
        with self._entry:
            return sum(held.memory_bytes for held in self._held.values())

    def _find(self, adapter: Adapter) -> Any:
        """None if it is not loaded here, or only what its name stood for before."""
        with self._entry:
            held = self._held.get(adapter.name)
            if held is None or held.adapter.version != adapter.version:
                return None
            self._held.move_to_end(adapter.name)
            held.adapter = adapter  # it may be pinned since
            return held.adapted

    def _load(self, adapter: Adapter) -> Any:
        """Runs in the lane."""
        adapted = self._find(adapter)
        if adapted is not None:  # by a request that came a moment earlier
            return adapted
        started, before_bytes = monotonic(), resources.resident_bytes()
        try:
            adapted = self._adapter_fn(str(self._settings.model_dir / adapter.src), self._model, Context())
        except MemoryError as error:
            raise InsufficientStorage(NO_MEMORY) from error
        if adapted is None:
            raise TypeError("adapter_fn returned None; return what predict_fn gets in the model's place")
        held = Held(adapter, adapted, max(0, resources.resident_bytes() - before_bytes))
        self._keep(held)
        about = {"adapter": adapter.name, "memory_mb": held.memory_bytes // resources.MEGABYTE}
        log.info("adapter_loaded", extra={**about, "load_s": round(monotonic() - started, 3)})
        return adapted

    def _keep(self, held: Held) -> None:
        with self._entry:
            self._held[held.adapter.name] = held
            self._held.move_to_end(held.adapter.name)
            others = [each for each in self._held.values() if not each.adapter.pin and each is not held]
            limit = self._settings.loaded_adapters
            too_many = len(self._held) - limit if limit else 0
        for other in others[: max(0, too_many)]:
            self.forget(other.adapter.name)
