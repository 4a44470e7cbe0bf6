"""Content-Encoding of request bodies: gzip, with a cap on what it unpacks to. Called by model before decode."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from container.errors import DecodeError, PayloadTooLarge, UnsupportedMediaType

_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for the gzip format
_WINDOW_BYTES = 8 * 1024
"""Read at once. What follows a member is copied at its end: read whole, a body of tiny members takes quadratic time.
It also bounds what a file has in memory, since a window unpacks to a thousand times its size at most."""
_READ_BYTES = 256 * 1024


def unpack(body: bytes | BinaryIO, content_encoding: str | None, limit_bytes: int) -> bytes:
    """The body as its media type describes it. The limit concerns packed bodies only.

    Raises UnsupportedMediaType (415) for codings other than gzip, PayloadTooLarge (413) over limit_bytes,
    DecodeError (400) for a truncated or damaged stream.
    """
    if _is_packed(content_encoding):
        return b"".join(_parts(_as_file(body), limit_bytes))
    return body if isinstance(body, bytes) else body.read()


def unpacked_file(body: bytes | BinaryIO, content_encoding: str | None, limit_bytes: int) -> BinaryIO:
    """The same as a file, which unpacks as it is read. What unpack raises, but for 415, comes out of its methods."""
    if _is_packed(content_encoding):
        return io.BufferedReader(Unpacked(_as_file(body), limit_bytes), _READ_BYTES)
    return _as_file(body)


class Unpacked(io.RawIOBase):
    """What a gzip file unpacks to. To go back is to begin anew, as with Python's own gzip module."""

    def __init__(self, packed: BinaryIO, limit_bytes: int) -> None:
        self._packed, self._limit_bytes = packed, limit_bytes
        self._rewind()

    def _rewind(self) -> None:
        self._packed.seek(0)
        self._parts = _parts(self._packed, self._limit_bytes)
        self._part = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = self._take(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            while self._take(_READ_BYTES):
                pass
        target = offset + (0 if whence == io.SEEK_SET else self._position)
        if target < self._position:
            self._rewind()
        while self._position < target and self._take(target - self._position):
            pass
        return self._position

    def _take(self, limit_bytes: int) -> memoryview:
        """The next bytes, up to so many; empty at the end."""
        if not self._part:
            self._part = memoryview(next(self._parts, b""))
        taken, self._part = self._part[:limit_bytes], self._part[limit_bytes:]
        self._position += len(taken)
        return taken


def _is_packed(content_encoding: str | None) -> bool:
    if not content_encoding:
        return False
    coding = content_encoding.strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedMediaType(f"Content-Encoding {coding[:100]!r} is not supported; use gzip or none")
    return coding in ("gzip", "x-gzip")


def _as_file(body: bytes | BinaryIO) -> BinaryIO:
    return io.BytesIO(body) if isinstance(body, bytes) else body


def _parts(packed: BinaryIO, limit_bytes: int) -> Iterator[bytes]:
    """What the file unpacks to, piece by piece, none of them empty."""
    room_bytes = limit_bytes
    stream = zlib.decompressobj(_GZIP)
    window = packed.read(_WINDOW_BYTES)
    while window:
        if stream.eof:  # RFC 1952: a gzip file is one or more members; zeros may pad its end
            window = window.lstrip(b"\0") or packed.read(_WINDOW_BYTES)
            if window.startswith(b"\0"):
                continue
            if not window:
                break
            stream = zlib.decompressobj(_GZIP)
        part = _inflate(stream, window, room_bytes + 1)  # one more shows an overflow; 0 would mean no limit
        if len(part) > room_bytes:
            raise PayloadTooLarge(f"the gzip body unpacks to more than {limit_bytes} bytes; send fewer rows at once")
        if part:
            yield part
        room_bytes -= len(part)
        window = stream.unused_data or packed.read(_WINDOW_BYTES)
    if not stream.eof:
        raise DecodeError("the gzip body ends too early; send all of it")


def _inflate(stream: Any, window: bytes, limit_bytes: int) -> bytes:
    try:
        return stream.decompress(window, limit_bytes)  # type: ignore[no-any-return]  # zlib does not name its class
    except zlib.error as error:
        raise DecodeError(
            f"the body is not gzip, or is damaged, although Content-Encoding says gzip ({error})"
        ) from error
