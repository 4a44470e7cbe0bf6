"""Content-Encoding of request bodies: gzip, with a cap on what it unpacks to. Called by model before decode."""

from __future__ import annotations

import zlib

from container.errors import DecodeError, PayloadTooLarge, UnsupportedMediaType

_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for the gzip format


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
    members: list[bytes] = []
    room_bytes = limit_bytes
    # RFC 1952: a gzip file is one or more members; zeros may pad its end
    while not members or body.rstrip(b"\0"):
        member, body = _gunzip_member(body, room_bytes, limit_bytes)
        members.append(member)
        room_bytes -= len(member)
    return b"".join(members)


def _gunzip_member(body: bytes, room_bytes: int, limit_bytes: int) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(_GZIP)
    try:
        member = stream.decompress(
            body, room_bytes + 1
        )  # one more than allowed shows an overflow; 0 would mean no limit
    except zlib.error as error:
        raise DecodeError(
            f"the body is not gzip, or is damaged, although Content-Encoding says gzip ({error})"
        ) from error
    if len(member) > room_bytes:
        raise PayloadTooLarge(f"the gzip body unpacks to more than {limit_bytes} bytes; send fewer rows at once")
    if not stream.eof:
        raise DecodeError("the gzip body ends too early; send all of it")
    return member, stream.unused_data
