"""What output_fn returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import content_types


class Response(tuple[str | bytes, str]):
    """Body and media type: the pair that an output_fn may return here."""

    __slots__ = ()

    def __new__(
        cls,
        response: str | bytes | Iterable[str] | None = None,
        accept: str | None = None,  # noqa: ARG004 - deprecated there
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        mimetype: str | None = None,
    ) -> Response:
        """Raises ValueError for what a pair cannot say."""
        if status != 200 or headers:
            raise ValueError(
                "Response has a status or headers: raise an exception with a status, set context.response_headers"
            )
        body = response if isinstance(response, (str, bytes)) else "".join(response or ())
        return super().__new__(cls, (body, mimetype or content_types.JSON))
