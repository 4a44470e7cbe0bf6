"""A request to a container, and through several as in a pipeline. Called by runtime and jobs."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from tests.deploy.double.call import Refusal

LIMIT_S = 60.0  # SageMaker's own for one answer


@dataclass
class Reply:
    status: int
    headers: Message
    _response: http.client.HTTPResponse

    @property
    def body(self) -> bytes:
        return self._response.read()

    def parts(self) -> Iterator[bytes]:
        """The body as it arrives."""
        while part := self._response.read1(16384):
            yield part


def post(url: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Raises Refusal (ModelError) where nobody answers."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=LIMIT_S)
    try:
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
    except OSError as error:
        raise Refusal(f"Your invocation timed out or found no container: {error}", "ModelError", 424) from error
    return Reply(response.status, response.headers, response)


def through(urls: list[str], body: bytes, headers: Mapping[str, str], path: str = "/invocations") -> Reply:
    """The last container's answer, each answer the next one's request. Ends at the first that is an error.

    The client's Accept is for the last one alone.
    """
    if not urls:
        raise Refusal("the double has no route to a container: set double.routes", "ModelError", 424)
    for url in urls[:-1]:
        reply = post(url, path, body, {name: value for name, value in headers.items() if name != "Accept"})
        if reply.status >= 400:
            return reply
        body, headers = reply.body, {**headers, "Content-Type": reply.headers["Content-Type"]}
    return post(urls[-1], path, body, headers)
