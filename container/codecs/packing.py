"""Content-Encoding of request bodies: gzip, with a cap on what it unpacks to. Called by model before decode."""

from __future__ import annotations

import zlib
from typing import Any

from container.errors import DecodeError, PayloadTooLarge, UnsupportedMediaType

_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for the gzip format
_WINDOW_BYTES = 8 * 1024
"""Read at once. What follows a member is copied at its end: read whole, a body of tiny members takes quadratic time."""


def unpack(body: bytes, content_encoding: str | None, limit_bytes: int) -> bytes:
    """The body as its media type describes it. The limit concerns packed bodies only.

    Raises UnsupportedMediaType (415) for codings other than gzip, PayloadTooLarge (413) over limit_bytes,
    DecodeError (400) for a truncated or damaged stream.
    """
    coding = (content_encoding or "identity").strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(f"Content-Encoding {coding[:100]!r} is not supported; use gzip or none")
    return _gunzip(body, limit_bytes)


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    view, start, room_bytes = memoryview(body), 0, limit_bytes
    parts: list[bytes] = []
    stream = zlib.decompressobj(_GZIP)
    while start < len(body):
        if stream.eof:  # RFC 1952: a gzip file is one or more members; zeros may pad its end
            if body[start] == 0 and not body[start:].strip(b"\0"):
                break
            stream = zlib.decompressobj(_GZIP)
        window = view[start : start + _WINDOW_BYTES]
        part = _inflate(stream, window, room_bytes + 1)  # one more shows an overflow; 0 would mean no limit
        if len(part) > room_bytes:
            raise PayloadTooLarge(f"the gzip body unpacks to more than {limit_bytes} bytes; send fewer rows at once")
        parts.append(part)
        room_bytes -= len(part)
        start += len(window) - len(stream.unused_data)
    if not stream.eof:
        raise DecodeError("the gzip body ends too early; send all of it")
    return b"".join(parts)


def _inflate(stream: Any, window: memoryview, limit_bytes: int) -> bytes:
    try:
        return stream.decompress(window, limit_bytes)  # type: ignore[no-any-return]  # zlib does not name its class
    except zlib.error as error:
        raise DecodeError(
            f"the body is not gzip, or is damaged, although Content-Encoding says gzip ({error})"
        ) from error
