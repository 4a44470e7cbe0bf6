"""Media types as values, and the choice of an answer's type from an Accept header.

Called by codecs (which reader a Content-Type means) and by model (which writer an Accept means). Source: RFC 9110, 8.3
and 12.5.1; read leniently where real clients are sloppy, since a wrong 406 helps no one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

from container.errors import NotAcceptable, UnsupportedMediaType

CACHE_SIZE = 256  # headers are at most 1,024 characters (sagemaker-runtime), so this is at most some 100 KB

JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/x-ndjson")
"""One type under three names, the one that SageMaker uses first."""

_SPLIT_AT_COMMA = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')
_SPLIT_AT_SEMICOLON = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*"?)+')
_TYPE = re.compile(r"([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)", re.ASCII)
_WEIGHT = re.compile(r"[01]|[01]?\.[0-9]*|1\.0*", re.ASCII)


@dataclass(frozen=True)
class MediaType:
    """type/subtype with its parameters; type, subtype and parameter names in lower case."""

    type: str
    subtype: str
    params: Mapping[str, str] = field(default_factory=dict, hash=False)

    @cached_property
    def essence(self) -> str:
        """type/subtype without parameters."""
        return f"{self.type}/{self.subtype}"

    @staticmethod
    def parse(text: str) -> MediaType:
        """Read one media type. Raises UnsupportedMediaType (415) where there is none."""
        return _parse(text)


@dataclass(frozen=True)
class _Range:
    """One entry of an Accept header; order is its place in the header."""

    type: str
    subtype: str
    weight: float
    order: int

    @property
    def specificity(self) -> int:
        """0 for */*, 1 for type/*, 2 for type/subtype."""
        return (self.type != "*") + (self.subtype != "*")

    def covers(self, media: MediaType) -> bool:
        return self.type in ("*", media.type) and self.subtype in ("*", media.subtype)


def negotiate(accept: str | None, offered: Sequence[str], default: str) -> str:
    """The type to answer with: the default, or the one of offered, that accept likes best.

    No Accept, or */* alone, means the default. The most specific range decides a type's weight; among equal weights the
    more specific range wins, then the one named earlier, then the default, then the order of offered.
    Raises NotAcceptable (406) naming what is offered.
    """
    if accept is None or accept == "*/*" or not accept.strip():
        return default
    return _negotiate(accept, tuple(offered), default)


@lru_cache(CACHE_SIZE)
def _negotiate(accept: str, offered: tuple[str, ...], default: str) -> str:
    ranges = _ranges(accept)
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen = None
    for candidate in (default, *offered):
        media = MediaType.parse(candidate)
        deciding = max((r for r in ranges if r.covers(media)), key=lambda r: (r.specificity, -r.order), default=None)
        if deciding is None or deciding.weight == 0:
            continue
        rank = (deciding.weight, deciding.specificity, -deciding.order)
        if chosen is None or rank > best:
            best, chosen = rank, candidate
    if chosen is None:
        raise NotAcceptable(f"Accept {accept[:200]!r} cannot be answered; use one of: {', '.join(offered)}")
    return chosen


def _ranges(accept: str) -> list[_Range]:
    ranges = []
    for order, entry in enumerate(_SPLIT_AT_COMMA.findall(accept)):
        name, params = _split(entry)
        # Java's HttpURLConnection sends a bare "*" where it means */*
        match = _TYPE.fullmatch("*/*" if name == "*" else name)
        if match and not (match[1] == "*" and match[2] != "*"):
            ranges.append(_Range(match[1], match[2], _weight(params.get("q", "1")), order))
    return ranges


def _weight(text: str) -> float:
    return min(float(text), 1.0) if _WEIGHT.fullmatch(text) and text != "." else 1.0


@lru_cache(CACHE_SIZE)
def _parse(text: str) -> MediaType:
    name, params = _split(text)
    match = _TYPE.fullmatch(name)
    if match is None:
        raise UnsupportedMediaType(f"{text[:200]!r} is not a media type; write one such as text/csv")
    return MediaType(match[1], match[2], MappingProxyType(params))


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Name in lower case, and the parameters; of a repeated parameter the first counts."""
    name, *rest = _SPLIT_AT_SEMICOLON.findall(text) or [""]
    params: dict[str, str] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        if equals:
            params.setdefault(key.strip().lower(), _unquote(value.strip()))
    return name.strip().lower(), params


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
