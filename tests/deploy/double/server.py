"""Starts the double on a free port of loopback, in this process. Used by the fixtures and by __main__."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.deploy.double import neighbours
from tests.deploy.double.gate import Gate
from tests.deploy.double.state import Double

USED = ("applicationautoscaling", "cloudwatch", "ecr", "iam", "logs", "s3", "sns", "sqs", "sts", "sagemaker")
"""What reset() empties; moto has 200 more services."""


class Quiet(MotoRequestHandler):
    """Says nothing of each request, and keeps connections as AWS does."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *arguments: object) -> None:
        """pytest shows what a test prints; what was asked stands in double.calls."""

    def connection_dropped(self, *_: object) -> None:
        """A silent fault: the client hears no more on this connection, kept or not."""
        self.close_connection = True
        with suppress(OSError):  # the client went first
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(port: int = 0) -> Iterator[Double]:
    """A double that answers at double.url until the end. One a process: moto's state is the process's own."""
    double = Double()
    neighbours.install(double)
    gate = neighbours.with_hooks(double, Gate(double, DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", port, gate, threaded=True, request_handler=Quiet)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="aws-double", daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reset(double: Double) -> None:
    """As new: no resources, no calls, no faults; the address stays."""
    for name in USED:
        get_backend(name).reset()  # type: ignore[call-overload]  # moto has one overload a service
    fresh = Double(url=double.url)
    double.__dict__.update(fresh.__dict__)
