"""Errors with the status that the client gets."""

from __future__ import annotations


class ClientError(Exception):
    """What was sent cannot be read."""

    status = 400


class UnsupportedFormatError(Exception):
    """Nothing here reads, or writes, that media type."""

    def __init__(self, content_type: str, status: int = 415) -> None:
        super().__init__(f"{content_type} is not supported; write an input_fn or output_fn that does it.")
        self.status = status
