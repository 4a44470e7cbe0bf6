"""Bytes to data and data to bytes, by media type. Called by model, and free for handlers to call.

decode and encode look a type up in DECODERS and ENCODERS; a codec is a row there. Reading order: rows, text, packing;
csv_codec, csv_numbers (plain numbers, fast), csv_digits (those alike, faster), csv_records (all the rest); json_codec,
json_tables; plain, csv_writer, json_writer; npy_codec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from container.codecs import csv_codec, csv_writer, json_codec, json_writer, npy_codec, text
from container.codecs.packing import unpack, unpacked_file
from container.codecs.rows import Rows
from container.errors import DecodeError, NotAcceptable, UnsupportedMediaType
from container.media_types import CACHE_SIZE, JSON_LINES, MediaType

__all__ = ["DECODABLE", "DECODERS", "ENCODABLE", "ENCODERS", "Rows", "decode", "encode", "unpack", "unpacked_file"]

_CSV = "text/csv"

DECODERS: dict[str, Callable[[bytes, MediaType], Any]] = {
    "application/json": json_codec.decode,
    **dict.fromkeys(JSON_LINES, json_codec.decode_lines),
    "application/x-npy": lambda body, _: npy_codec.decode(body),
    "text/plain": lambda body, media: [text.decode(body, media.params.get("charset"))],
}
"""Readers of request bodies; text/csv, which alone takes settings, is read in decode."""

ENCODERS: dict[str, Callable[[Any, str], bytes]] = {
    "application/json": json_writer.encode,
    JSON_LINES[0]: json_writer.encode_lines,
    "text/csv": lambda value, _: csv_writer.encode(value),
    "application/x-npy": lambda value, _: npy_codec.encode(value),
    **dict.fromkeys(JSON_LINES[1:], json_writer.encode_lines),
}
"""Writers of answers, in order of preference."""

DECODABLE: tuple[str, ...] = (_CSV, *DECODERS)
ENCODABLE: tuple[str, ...] = tuple(ENCODERS)


def decode(
    body: bytes, content_type: str, *, csv_header: str = "auto", feature_names: Sequence[str] | None = None
) -> Any:
    """The data of a request body: Rows, an array, a list of texts, or any JSON value as it is.

    csv_header is present, absent or auto; the media type's header parameter wins. Raises DecodeError (400) or
    UnprocessableInput (422) naming the place, UnsupportedMediaType (415) naming the types that can be read.
    """
    media, decoder = _decoder(content_type)
    if not body or body.isspace():
        raise DecodeError(f"the body is empty; send {media.essence} data")
    return csv_codec.decode(body, media, csv_header, feature_names) if decoder is None else decoder(body, media)


def encode(value: Any, media_type: str, *, nan: str = "null") -> bytes:
    """The value as bytes of media_type, one of ENCODABLE. nan is null, string or error, for the two JSON types.

    Raises NotAcceptable (406) where the type cannot hold the value, TypeError for a value that no codec knows.
    """
    return _encoder(media_type)(value, nan)


@lru_cache(CACHE_SIZE)
def _decoder(content_type: str) -> tuple[MediaType, Callable[[bytes, MediaType], Any] | None]:
    """The media type and its reader; None stands for CSV's."""
    media = MediaType.parse(content_type)
    decoder = DECODERS.get(media.essence) or (json_codec.decode if media.subtype.endswith("+json") else None)
    if decoder is None and media.essence != _CSV:
        supported = ", ".join(DECODABLE)
        raise UnsupportedMediaType(f"Content-Type {media.essence[:100]} is not supported; use one of: {supported}")
    return media, decoder


@lru_cache(CACHE_SIZE)
def _encoder(media_type: str) -> Callable[[Any, str], bytes]:
    encoder = ENCODERS.get(MediaType.parse(media_type).essence)
    if encoder is None:
        raise NotAcceptable(f"{media_type[:100]} cannot be written; use one of: {', '.join(ENCODABLE)}")
    return encoder
