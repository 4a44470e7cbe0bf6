"""Bytes to Unicode by the charset of a media type. Called by the codecs of text formats."""

from __future__ import annotations

import codecs

from container.errors import DecodeError, UnsupportedMediaType

_UTF8_BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})  # ASCII is a part of UTF-8
# Not ways to write text down: Python-internal escapes, and the quadratic-time codec of host names.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"})


def as_utf8(body: bytes, charset: str | None) -> bytes:
    """The body's text as UTF-8 without a byte order mark. Not checked where UTF-8 is named or meant."""
    if charset is not None and charset.lower() not in _UTF8_NAMES:
        return decode(body, charset).encode("utf-8", "surrogatepass")
    return body[3:] if body.startswith(_UTF8_BOM) else body


def decode(body: bytes, charset: str | None = None) -> str:
    """The body as str. Raises DecodeError (400) naming the byte, UnsupportedMediaType (415) for an unknown charset."""
    try:
        name = codecs.lookup(charset or "utf-8").name
        if name.replace("-", "_") in _REFUSED:
            raise LookupError
        return body.decode(name).removeprefix("\ufeff")
    except (LookupError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise DecodeError(_undecodable(error)) from error
        raise UnsupportedMediaType(f"charset {charset!r} is not supported; send UTF-8") from error


def _undecodable(error: UnicodeDecodeError) -> str:
    if error.object.startswith(_GZIP_MAGIC):
        return "the body cannot be read: it looks like gzip; say so with Content-Encoding: gzip"
    place = f"byte {error.start + 1} is not {error.encoding} text"
    return f"the body cannot be read: {place}; send UTF-8, or name the charset in Content-Type"
