"""/adapters and its routes. Made by app where there is an adapter_fn; imported only then.

Source of the routes: AWS's model hosting container standards, sagemaker/lora, and DJL Serving's adapters API.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from container.adapters import Adapters
from container.errors import Conflict, DecodeError
from container.exchange import Answer, Environ, Exchange
from container.listing import Asked, Page, View, answer, check_name, order, token_after
from container.request import Response
from container.settings import Settings
from container.shelf import IS_LOADED, Adapter

ALL, ONE = "/adapters", "/adapters/<name>"


class AdapterRoutes:
    """Loads, lists, tells of, changes and unloads the adapters of a model."""

    def __init__(self, settings: Settings, adapters: Adapters) -> None:
        self._settings = settings
        self._adapters = adapters
        self.routes: dict[tuple[str, str], View] = {
            ("GET", ALL): self.list_adapters,
            ("POST", ALL): self.load,
            ("GET", ONE): self.get,
            ("POST", ONE): self.change,
            ("DELETE", ONE): self.unload,
        }

    def answer(self, environ: Environ, route: tuple[str, str], name: str) -> Answer:
        """Answer a request to one of the routes; name is the adapter that its path has."""

        def produce(exchange: Exchange) -> Response:
            return answer(self.routes[route], exchange, environ, name)

        body, status, headers = Exchange(environ).answer(produce)
        return b"".join(body), status, headers

    def load(self, asked: Asked) -> dict[str, Any]:
        """When this returns every worker knows it; one that has not loaded it does so when it is first asked."""
        told = order(self._body(asked), "name", "src")
        check_name("name", told["name"])
        if self._adapters.shelf.has(told["name"]):
            raise Conflict(IS_LOADED)
        adapter = _with_flags(Adapter(told["name"], _folder(told["src"], self._settings.model_dir)), told)
        self._prepare(adapter)
        self._adapters.shelf.add(adapter)
        return about(adapter)

    def list_adapters(self, asked: Asked) -> dict[str, Any]:
        page = Page.of(asked.query)
        found = [adapter for adapter in self._adapters.shelf if adapter.name > page.after]
        told: dict[str, Any] = {"adapters": [about(adapter) for adapter in found[: page.limit]]}
        more = len(found) > page.limit
        return {**told, "nextPageToken": token_after(found[page.limit - 1].name)} if more else told

    def get(self, asked: Asked) -> dict[str, Any]:
        return about(self._adapters.shelf.find(asked.name))

    def change(self, asked: Asked) -> dict[str, Any]:
        """What it was serves until the new one is loaded. A src that is told is loaded anew, the same one too."""
        adapter, told = self._adapters.shelf.find(asked.name), order(self._body(asked))
        if "src" in told:
            adapter = Adapter(
                adapter.name, _folder(told["src"], self._settings.model_dir), adapter.preload, adapter.pin
            )
        adapter = _with_flags(adapter, told)
        self._prepare(adapter)
        self._adapters.shelf.replace(adapter)
        return about(adapter)

    def unload(self, asked: Asked) -> dict[str, Any]:
        """Requests that are on their way are answered with it."""
        adapter = self._adapters.shelf.remove(asked.name)
        self._adapters.forget(asked.name)
        return about(adapter)

    def _body(self, asked: Asked) -> bytes:
        return asked.exchange.request(self._settings).whole()

    def _prepare(self, adapter: Adapter) -> None:
        """Load it, so that one that cannot be is not known to any worker."""
        if adapter.early:
            self._adapters.load(adapter, monotonic() + self._settings.deadline_s)


def about(adapter: Adapter) -> dict[str, Any]:
    return {"name": adapter.name, "src": adapter.src, "preload": adapter.preload, "pin": adapter.pin}


def _folder(src: Any, model_dir: Path) -> str:
    """src, if it names a folder; inside the model's, unless it begins at the root. Raises DecodeError."""
    if not isinstance(src, str) or ".." in src or not (model_dir / src).is_dir():
        raise DecodeError("src must name a folder that is there, by its whole path or by the one inside the artifact.")
    return src


def _with_flags(adapter: Adapter, told: dict[str, Any]) -> Adapter:
    """What the order says of preload and pin. Raises DecodeError."""
    flags = {key: told[key] for key in ("preload", "pin") if told.get(key) is not None}
    for key, value in flags.items():
        if not isinstance(value, bool):
            raise DecodeError(f"{key} must be true or false.")
    return replace(adapter, **flags)
