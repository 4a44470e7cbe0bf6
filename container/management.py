"""/models and its routes: the WSGI app of a server of many models. Called by the keeper's loop.

Load and unload step aside until they are done, as a request does that waits for its prediction. Source of the routes:
https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from greenlet import getcurrent

from container.answers import status_line
from container.errors import MethodNotAllowed, NotFound, Overloaded, ServingError
from container.exchange import Environ, Exchange
from container.listing import Asked, Page, View, answer, check_name, order, token_after
from container.repository import Repository
from container.request import Response
from container.served import NOT_NOW, Done, Served
from container.settings import Settings

DOORS = "/door/"  # a location of nginx.conf
PATH = re.compile(r"/models(?:/([^/]+)(/invoke)?)?")
WRONG_PATH = "No such path. This server holds many models: use /models, /models/NAME and /models/NAME/invoke."


class Management:
    """The app: loads, lists, tells of and unloads models. Invocations come here only if nginx finds no door."""

    def __init__(self, settings: Settings, repository: Repository) -> None:
        self._settings = settings
        self._repository = repository
        self._views: dict[str, dict[str, View]] = {
            "/models": {"GET": self.list_models, "POST": self.load},
            "/models/<name>": {"GET": self.get, "DELETE": self.unload},
            "/models/<name>/invoke": {"POST": self.refuse_invocation},
        }

    @property
    def routes(self) -> set[tuple[str, str]]:
        return {(method, rule) for rule, views in self._views.items() for method in views}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if door := self._door(environ):
            start_response(status_line(200), [("X-Accel-Redirect", f"{DOORS}{door}")])
            return [b""]
        body, status, headers = Exchange(environ).answer(partial(self._answer, environ))
        start_response(status_line(status), list(headers.items()))
        return body

    def _answer(self, environ: Environ, exchange: Exchange) -> Response:
        view, name = self._find(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        return answer(view, exchange, environ, name)

    def _find(self, method: str, path: str) -> tuple[View, str]:
        found = PATH.fullmatch(path)
        if found is None:
            raise NotFound(WRONG_PATH)
        rule = f"/models{'/<name>' if found[1] else ''}{found[2] or ''}"
        if method not in self._views[rule]:
            allowed = ", ".join(self._views[rule])
            raise MethodNotAllowed(f"This method is not allowed here. Use {allowed}.", headers={"Allow": allowed})
        return self._views[rule][method], as_name(found[1] or "")

    # the routes

    def load(self, asked: Asked) -> dict[str, str]:
        name, url = wanted(asked.exchange.request(self._settings).whole())
        wait_for(partial(self._repository.load, name, url, asked.exchange.request_id))
        return {"modelName": name, "modelUrl": url}

    def list_models(self, asked: Asked) -> dict[str, Any]:
        page = Page.of(asked.query)
        models, more = self._repository.list_models(page.after, page.limit)
        told: dict[str, Any] = {"models": [about(model) for model in models]}
        return {**told, "nextPageToken": token_after(models[-1].name)} if more else told

    def get(self, asked: Asked) -> dict[str, str]:
        return about(self._repository.get(asked.name))

    def unload(self, asked: Asked) -> dict[str, str]:
        told = about(self._repository.get(asked.name))
        wait_for(partial(self._repository.unload, asked.name))
        return told

    def refuse_invocation(self, asked: Asked) -> dict[str, str]:
        """An invocation comes here where no model of that name is loaded, or could be loaded again."""
        raise self._repository.get(asked.name).trouble or Overloaded(NOT_NOW)

    def _door(self, environ: Environ) -> str:
        """Where nginx should ask instead: it finds no door by a name that is no file name."""
        found = PATH.fullmatch(environ.get("PATH_INFO", ""))
        if environ["REQUEST_METHOD"] != "POST" or found is None or not found[2]:
            return ""
        door = self._repository.door(as_name(found[1]))
        return door.address if door is not None and door is not getattr(getcurrent(), "listener", None) else ""


def wait_for(begin: Callable[[Done], None]) -> None:
    """Begin something, and step aside until it is done. Raises the ServingError it ends in."""
    waiter = getcurrent()
    ended: list[ServingError | None] = []
    aside = False

    def done(error: ServingError | None) -> None:
        ended.append(error)
        if aside:
            waiter.switch()

    begin(done)
    if not ended:
        aside = True
        waiter.parent.switch()
    if ended[0] is not None:
        raise ended[0]


def wanted(body: bytes) -> tuple[str, str]:
    """model_name and url of a request to load. Raises DecodeError saying what is wrong with it."""
    told = order(body, "model_name", "url")
    check_name("model_name", told["model_name"])
    return told["model_name"], told["url"]


def as_name(part: str) -> str:
    """A part of PATH_INFO, which has each byte as one character: PEP 3333."""
    return part.encode("latin-1", "replace").decode("utf-8", "replace")


def about(model: Served) -> dict[str, str]:
    return {"modelName": model.name, "modelUrl": model.url}
