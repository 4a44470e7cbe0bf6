"""The door of the double: every request comes through here and is written down before anyone answers it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from tests.deploy.double.call import Refusal
from tests.deploy.double.faults import Fault
from tests.deploy.double.request import Answer, Asked, read, told
from tests.deploy.double.shapes import problems
from tests.deploy.double.state import Double
from tests.deploy.double.table import HANDLERS

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

STRICT = {"sagemaker", "sagemaker-runtime", "ecr", "application-autoscaling"}
"""Held to every limit of the service model; moto checks the others' requests itself."""


class Gate:
    """A WSGI application before moto's."""

    def __init__(self, double: Double, moto: Application) -> None:
        self.double, self.moto = double, moto

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        asked = read(environ)
        if asked is None:
            return self.moto(environ, start)
        self.double.calls.append(asked.call)
        fault = self.double.faults.next(asked.call.operation)
        if fault and not fault.carried_out:
            return self.spoil(fault, asked, start)
        answer = self.answer(asked, environ, start)
        return self.spoil(fault, asked, start) if fault else answer

    def spoil(self, fault: Fault, asked: Asked, start: StartResponse) -> Iterable[bytes]:
        fault.wait()
        if fault.action:
            fault.action()
        if fault.silent or fault.carried_out:
            raise ConnectionResetError  # werkzeug then closes the connection without a word
        return send(told(asked, Refusal(fault.message, fault.code, fault.status)), start)

    def answer(self, asked: Asked, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        try:
            self.check(asked)
            handler = HANDLERS.get((asked.call.service, asked.call.operation))
            result = handler(self.double, asked.call) if handler else None
            if result is None:
                return self.ask_moto(asked, environ, start)
            return send(result if isinstance(result, tuple) else told(asked, result), start)
        except Refusal as refusal:
            return send(told(asked, refusal), start)
        except Exception:
            self.double.broken.append(traceback.format_exc())
            return send(told(asked, Refusal("the double itself failed", "InternalFailure", 500)), start)

    def check(self, asked: Asked) -> None:
        if asked.call.service in STRICT and (found := problems(asked.model, asked.call.parameters)):
            text = f"{len(found)} validation error(s) detected: {'; '.join(found)}"
            raise Refusal(text, "InvalidParameterException" if asked.call.service == "ecr" else "ValidationException")

    def ask_moto(self, asked: Asked, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """moto answers what it lacks with a page of status 500, which clients repeat; 501 they do not."""
        try:
            return self.moto(environ, start)
        except NotImplementedError as error:
            return send(told(asked, Refusal(str(error), "NotImplemented", 501)), start)


def send(answer: Answer, start: StartResponse) -> Iterable[bytes]:
    status, headers, body = answer
    text = body.encode() if isinstance(body, str) else body
    if isinstance(text, bytes):
        headers = {**headers, "Content-Length": str(len(text))}
        text = [text]
    start(f"{status} .", [(name, str(value)) for name, value in headers.items()])
    return text
