"""The platform's side of an endpoint of several containers, with containers that note what they are asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local_test.stages import BETWEEN_BYTES, DIRECT, SERIAL, TARGET, Answer, Endpoint, Stage, front
from tests.system.replies import send

ODD_TYPE = "text/CSV; charset=UTF-8;header=absent"


class Container(ThreadingHTTPServer):
    """Answers each request alike, and notes its headers and body."""

    def __init__(self, status: int, body: bytes, content_type: str) -> None:
        asked: list[tuple[dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def do_POST(self) -> None:
                named = {name.lower(): value for name, value in self.headers.items()}
                asked.append((named, self.rfile.read(int(named["content-length"]))))
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = asked


Start = Callable[..., Container]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(body, content_type, status) -> Container that answers."""
    with ExitStack() as stack:

        def started(body: bytes = b"", content_type: str = "text/csv", status: int = 200) -> Container:
            made = stack.enter_context(Container(status, body, content_type))
            threading.Thread(target=made.serve_forever, args=(0.01,)).start()
            stack.callback(made.shutdown)
            return made

        yield started


def endpoint(*containers: Container, mode: str = SERIAL) -> Endpoint:
    stages = [Stage(f"container-{number}", each.server_port) for number, each in enumerate(containers, start=1)]
    return Endpoint(stages, mode)


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body)


def test_an_answer_is_the_next_ones_request_with_its_content_type_to_the_letter(start: Start) -> None:
    first, second = start(b"scaled", ODD_TYPE), start(b"class", "application/json")
    answer = endpoint(first, second).invoke(b"raw", {"Content-Type": "text/csv"})
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"class", "application/json")
    assert (first.asked[0][0]["content-type"], first.asked[0][1]) == ("text/csv", b"raw")
    assert (second.asked[0][0]["content-type"], second.asked[0][1]) == (ODD_TYPE, b"scaled")


def test_only_the_last_one_hears_what_the_client_accepts(start: Start) -> None:
    containers = start(), start(), start()
    endpoint(*containers).invoke(b"", {"Content-Type": "text/csv", "Accept": "text/plain"})
    assert [each.asked[0][0].get("accept") for each in containers] == [None, None, "text/plain"]


def test_headers_that_are_not_the_platforms_do_not_reach_a_container(start: Start) -> None:
    container = start()
    attributes = "X-Amzn-SageMaker-Custom-Attributes"
    endpoint(container).invoke(b"", {"Content-Type": "text/csv", "Authorization": "secret", attributes: "a=1"})
    assert "authorization" not in container.asked[0][0]
    assert container.asked[0][0][attributes.lower()] == "a=1"


def test_an_error_ends_it_and_names_its_container(start: Start) -> None:
    first, second = start(b"three columns", status=422), start()
    status, error = told(endpoint(first, second).invoke(b"raw", {}))
    assert (status, error["OriginalStatusCode"], error["OriginalMessage"]) == (424, 422, "three columns")
    assert "from container-1" in error["Message"]
    assert second.asked == []


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 424)])
def test_five_megabytes_may_be_handed_on_and_no_byte_more(start: Start, more: int, status: int) -> None:
    first, second = start(bytes(BETWEEN_BYTES + more)), start()
    assert endpoint(first, second).invoke(b"", {}).status == status
    assert len(second.asked) == (status == 200)


def test_the_last_answer_may_be_larger(start: Start) -> None:
    assert endpoint(start(), start(bytes(BETWEEN_BYTES + 1))).invoke(b"", {}).status == 200


def test_in_direct_mode_the_hostname_chooses(start: Start) -> None:
    first, second = start(b"first"), start(b"second")
    both = endpoint(first, second, mode=DIRECT)
    headers = {"Content-Type": "text/csv", "Accept": "text/plain", TARGET: "container-2"}
    assert both.invoke(b"raw", headers).body == b"second"
    assert (first.asked, second.asked[0][0]["accept"]) == ([], "text/plain")


@pytest.mark.parametrize(
    ("mode", "headers"), [(DIRECT, {}), (DIRECT, {TARGET: "other"}), (SERIAL, {TARGET: "container-1"})]
)
def test_a_hostname_that_is_missing_unknown_or_out_of_place_is_refused(
    start: Start, mode: str, headers: dict[str, str]
) -> None:
    container = start()
    status, error = told(endpoint(container, mode=mode).invoke(b"", headers))
    assert (status, error["__type"], container.asked) == (400, "ValidationError", [])


def test_a_container_that_is_gone_is_a_model_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = Stage("container-1", closed.getsockname()[1])
    status, error = told(Endpoint([gone]).invoke(b"", {}))
    assert (status, error["OriginalStatusCode"], Endpoint([gone]).is_ready()) == (424, 504, False)


def test_local_clients_ask_it_as_they_ask_one_container(start: Start) -> None:
    with front(endpoint(start(), start(b"class", "text/plain")), 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            assert send(server.server_port, "GET", "/ping", None, {}, 5).status == 200
            answer = send(server.server_port, "POST", "/invocations", b"raw", {"Content-Type": "text/csv"}, 5)
            assert (answer.status, answer.body, answer.content_type) == (200, b"class", "text/plain")
        finally:
            server.shutdown()
