"""Orders in JSON, names that are no paths, lists by the page: what /models and /adapters have in common.

Used by management and adapter_routes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from container.errors import DecodeError
from container.exchange import Environ, Exchange
from container.request import Response

PAGE = 100  # by default and at most: as the platform's own server for many models has it
NAME_LIMIT_CHARS = 1024


@dataclass(frozen=True)
class Asked:
    """A request to one of the routes."""

    exchange: Exchange
    name: str
    query: str


View = Callable[[Asked], Any]


@dataclass(frozen=True)
class Page:
    """Which part of the list is asked for: names after this one, and so many."""

    after: str
    limit: int

    @classmethod
    def of(cls, query: str) -> Page:
        """What limit and next_page_token of a query string say. Raises DecodeError."""
        told = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        return cls(after_token(told.get("next_page_token", "")), _size(told.get("limit", "")))


def order(body: bytes, *keys: str) -> dict[str, Any]:
    """The object that a body is, its keys texts that are not empty. Raises DecodeError saying what is wrong with it."""
    example = "{" + ", ".join(f'"{key}": "..."' for key in keys) + "}"
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError(f"The body is not JSON; send {example}.") from None
    if not isinstance(content, dict):
        raise DecodeError(f"The body must be an object: {example}.")
    for key in keys:
        if not isinstance(content.get(key), str) or not content[key]:
            raise DecodeError(f"{key} must be a text that is not empty.")
    return content


def answer(view: View, exchange: Exchange, environ: Environ, name: str) -> Response:
    """What a route's view tells of a request, as JSON. Raises what the view does."""
    told = view(Asked(exchange, name, environ.get("QUERY_STRING", "")))
    return Response(json.dumps(told, ensure_ascii=False).encode(), "application/json")


def check_name(key: str, name: str) -> None:
    """Raise DecodeError for a name that would not come through a path as it is. It is never a path itself."""
    if len(name) > NAME_LIMIT_CHARS or "/" in name or ".." in name or not name.isprintable():
        raise DecodeError(f"{key} must be up to {NAME_LIMIT_CHARS} printable characters, without '/' and '..'.")


def token_after(name: str) -> str:
    """An opaque token: the next page begins after this name, whatever is loaded or unloaded meanwhile."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def after_token(token: str) -> str:
    """The name that token_after was given. Raises DecodeError."""
    try:
        name = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True).decode()
        check_name("name", name)
    except (ValueError, binascii.Error, DecodeError):
        raise DecodeError("next_page_token is none that this server gave; ask again without it.") from None
    return name


def _size(limit: str) -> int:
    if not limit:
        return PAGE
    if not re.fullmatch(r"[0-9]{1,9}", limit) or int(limit) == 0:
        raise DecodeError(f"limit must be a whole number from 1 to {PAGE}.")
    return min(int(limit), PAGE)
