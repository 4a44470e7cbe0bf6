"""/models and its routes: the WSGI app of a server of many models. Called by the keeper's loop.

Load and unload step aside until they are done, as a request does that waits for its prediction. Source of the routes:
https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from greenlet import getcurrent

from container.answers import status_line
from container.errors import DecodeError, MethodNotAllowed, NotFound, Overloaded, ServingError
from container.exchange import Environ, Exchange
from container.repository import Repository
from container.request import Response
from container.served import NOT_NOW, Done, Served
from container.settings import Settings

JSON = "application/json"
DOORS = "/door/"  # a location of nginx.conf
PAGE = 100  # models, by default and at most: as the platform's own server for many models has it
NAME_LIMIT_CHARS = 1024
PATH = re.compile(r"/models(?:/([^/]+)(/invoke)?)?")
WRONG_PATH = "No such path. This server holds many models: use /models, /models/NAME and /models/NAME/invoke."


@dataclass(frozen=True)
class Asked:
    """A request to one of the routes."""

    exchange: Exchange
    name: str
    query: str


View = Callable[[Asked], Any]


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
        told = view(Asked(exchange, name, environ.get("QUERY_STRING", "")))
        return Response(json.dumps(told, ensure_ascii=False).encode(), JSON)

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
        query = first_of_each(asked.query)
        after, limit = after_token(query.get("next_page_token", "")), page_size(query.get("limit", ""))
        models, more = self._repository.list_models(after, limit)
        page: dict[str, Any] = {"models": [about(model) for model in models]}
        return {**page, "nextPageToken": token_after(models[-1].name)} if more else page

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
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError('The body is not JSON; send {"model_name": "...", "url": "..."}.') from None
    if not isinstance(content, dict):
        raise DecodeError('The body must be an object: {"model_name": "...", "url": "..."}.')
    for key in ("model_name", "url"):
        if not isinstance(content.get(key), str) or not content[key]:
            raise DecodeError(f"{key} must be a text that is not empty.")
    check_name(content["model_name"])
    return content["model_name"], content["url"]


def check_name(name: str) -> None:
    """Raise DecodeError for a name that would not come through a path as it is. It is never a path itself."""
    if len(name) > NAME_LIMIT_CHARS or "/" in name or ".." in name or not name.isprintable():
        raise DecodeError(
            f"model_name must be up to {NAME_LIMIT_CHARS} printable characters, without '/' and '..'."
        )  # fmt: skip


def as_name(part: str) -> str:
    """A part of PATH_INFO, which has each byte as one character: PEP 3333."""
    return part.encode("latin-1", "replace").decode("utf-8", "replace")


def about(model: Served) -> dict[str, str]:
    return {"modelName": model.name, "modelUrl": model.url}


def token_after(name: str) -> str:
    """An opaque token: the next page begins after this name, whatever is loaded or unloaded meanwhile."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def after_token(token: str) -> str:
    """The name that token_after was given. Raises DecodeError."""
    try:
        name = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True).decode()
        check_name(name)
    except (ValueError, binascii.Error, DecodeError):
        raise DecodeError("next_page_token is none that this server gave; ask again without it.") from None
    return name


def page_size(limit: str) -> int:
    """Raises DecodeError."""
    if not limit:
        return PAGE
    if not re.fullmatch(r"[0-9]{1,9}", limit) or int(limit) == 0:
        raise DecodeError(f"limit must be a whole number from 1 to {PAGE}.")
    return min(int(limit), PAGE)


def first_of_each(query: str) -> dict[str, str]:
    """The parameters of a query string."""
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
