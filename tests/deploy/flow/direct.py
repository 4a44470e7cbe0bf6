"""The double without sockets: botocore's requests are handed to it in this process, which is twice as fast.

Used by the flow tests. What becomes of connections is what tests/deploy/test_double.py and the command-line tests have.
"""

from __future__ import annotations

import io
from email.utils import formatdate
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder

from deploy.aws import Aws
from tests.deploy.double import Double
from tests.deploy.double.gate import Gate

make_client = Aws._client  # the command-line tests put something else in its place


class Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, **_: Any) -> Any:
        yield from self


class DirectAws(Aws):
    """Aws whose clients reach the double without a connection."""

    def __init__(self, region: str, double: Double) -> None:
        super().__init__(region)
        self._gate = Gate(double, DomainDispatcherApplication(create_backend_app))

    def _client(self, service: str) -> Any:
        known = service in self._clients
        client = make_client(self, service)
        if not known:
            client.meta.events.register("before-send.*.*", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = request.body.read() if hasattr(request.body, "read") else request.body
        headers = {name: text(value) for name, value in request.headers.items()}
        environ = EnvironBuilder(
            path=request.url, method=request.method, headers=headers, data=body or b""
        ).get_environ()
        told: list[Any] = []
        try:
            answer = b"".join(self._gate(environ, lambda *start: told.extend(start)))
        except ConnectionResetError as error:
            raise ConnectionClosedError(endpoint_url=request.url) from error
        headers = {**dict(told[1]), "Date": formatdate(usegmt=True)}  # as a server says it
        return AWSResponse(request.url, int(told[0].split()[0]), headers, Raw(answer))


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
