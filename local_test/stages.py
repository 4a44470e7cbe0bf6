"""What the platform does with a request to an endpoint of several containers: hands it from one to the next, or to one.

Used by local_test.pipeline, and by tests on real containers. Sources: the AWS guide's "Inference pipelines" (5 MB
between two containers, errors that name the container) and "Multi-container endpoints with direct invocation" (the
hostname). Content-Type is handed on as it is, parameters too, and only the last container gets the client's Accept:
https://github.com/aws/amazon-sagemaker-examples/issues/3235, https://github.com/aws/amazon-sagemaker-examples/issues/729
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERIAL, DIRECT = "Serial", "Direct"
"""The words of InferenceExecutionConfig.Mode."""

BETWEEN_BYTES = 5_000_000
PING_LIMIT_S, ANSWER_LIMIT_S = 2.0, 60.0
OF_THE_PLATFORM = "x-amzn-sagemaker-"
TARGET = "X-Amzn-SageMaker-Target-Container-Hostname"
MESSAGE_CHARACTERS = 2048  # of a container's error, which reach the client


@dataclass(frozen=True)
class Stage:
    """A container of the endpoint: its ContainerHostname, and where it is reached."""

    name: str
    port: int
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; headers by their name in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Endpoint:
    """The platform's side of one endpoint."""

    def __init__(self, stages: Sequence[Stage], mode: str = SERIAL) -> None:
        self.stages = tuple(stages)
        self.mode = mode

    def is_ready(self) -> bool:
        """Whether every container answers /ping with 200: only then is an endpoint InService."""
        return all(is_ready(stage) for stage in self.stages)

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What the client of InvokeEndpoint gets: the answer, 424 (ModelError) or 400 (ValidationError)."""
        given = {name.lower(): value for name, value in headers.items()}
        named = given.pop(TARGET.lower(), None)
        if self.mode == SERIAL:
            return (
                self._serial(body, given) if named is None else _invalid(f"{TARGET} needs an endpoint in Direct mode")
            )
        found = [stage for stage in self.stages if stage.name == named]
        if not found:
            return _invalid(
                f"{TARGET} is {named or 'missing'}; name one of: {', '.join(each.name for each in self.stages)}"
            )
        answer = ask(found[0], body, passed_on(given, accept=True))
        return answer if answer.status < 400 else _model_error(found[0], answer)

    def _serial(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        content_type = headers.get("content-type")
        for stage in self.stages:
            is_last = stage is self.stages[-1]
            given = passed_on({**headers, "content-type": content_type}, accept=is_last)
            answer = ask(stage, body, given)
            if answer.status >= 400:
                return _model_error(stage, answer)
            if not is_last and len(answer.body) > BETWEEN_BYTES:
                return _model_error(
                    stage, answer, f"answered {len(answer.body)} bytes; {BETWEEN_BYTES} may be handed on"
                )
            body, content_type = answer.body, answer.headers.get("content-type")
        return answer


def passed_on(headers: Mapping[str, str | None], *, accept: bool) -> dict[str, str]:
    """Those that reach a container; the platform takes all others of a client's away."""
    known = {"content-type", *(["accept"] if accept else [])}
    return {
        name: value for name, value in headers.items() if value and (name in known or name.startswith(OF_THE_PLATFORM))
    }


def ask(stage: Stage, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST /invocations. A container that does not answer is a 504."""
    connection = http.client.HTTPConnection(stage.host, stage.port, timeout=ANSWER_LIMIT_S)
    try:
        connection.request("POST", "/invocations", body, dict(headers))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read(), found)
    except (OSError, http.client.HTTPException) as error:
        return Answer(504, f"no answer: {error!r}".encode())
    finally:
        connection.close()


def is_ready(stage: Stage) -> bool:
    """Whether its /ping is 200 now."""
    connection = http.client.HTTPConnection(stage.host, stage.port, timeout=PING_LIMIT_S)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _model_error(stage: Stage, answer: Answer, what: str = "") -> Answer:
    told = answer.body.decode("utf-8", "replace")[:MESSAGE_CHARACTERS]
    whose = "client" if answer.status < 500 else "server"
    message = (
        f"{stage.name} {what}" if what else f'Received {whose} error ({answer.status}) from {stage.name}: "{told}"'
    )
    more = {} if what else {"OriginalStatusCode": answer.status, "OriginalMessage": told}
    return _told(424, {"__type": "ModelError", "Message": message, **more})


def _invalid(message: str) -> Answer:
    return _told(400, {"__type": "ValidationError", "Message": message})


def _told(status: int, document: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"content-type": "application/json"})


def front(endpoint: Endpoint, port: int) -> ThreadingHTTPServer:
    """A server at 127.0.0.1 for local clients: POST /invocations is InvokeEndpoint, GET /ping tells of InService."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(Answer(200 if endpoint.is_ready() else 503, b"") if self.path == "/ping" else Answer(404, b""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(endpoint.invoke(body, dict(self.headers)) if self.path == "/invocations" else Answer(404, b""))

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name == "content-type" or name.startswith(OF_THE_PLATFORM):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """The containers log requests."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
