"""More requests than a worker may have: refused by nginx at once, without troubling the worker."""

from __future__ import annotations

from collections.abc import Callable

from tests.system.client import wait_until
from tests.system.server import Server
from tests.system.wire import Wire, request

Serve = Callable[..., Server]
LIMIT = {"SERVING_QUEUE_LIMIT": "2"}


def test_a_request_too_many_is_refused_before_it_reaches_a_worker(serve: Serve) -> None:
    """1. One is predicted, two wait.  2. Twenty more.  Result: 503 with Retry-After each, and no line of the worker."""
    server = serve(env=LIMIT)
    server.wait_ready()
    held = server.hold_request("one")
    waiting = [server.invoke_later({"do": "echo"}) for _ in range(2)]
    wait_until(lambda: server.connections() == 3, 5, "three are under way")
    refused = [server.invoke({"do": "echo"}) for _ in range(20)]
    assert {reply.status for reply in refused} == {503}
    assert {reply.headers["Retry-After"] for reply in refused} == {"1"}
    assert all("as many requests as it may" in reply.json()["detail"] for reply in refused)
    server.open_gate("one")
    assert [future.result().status for future in (held, *waiting)] == [200] * 3
    assert len(server.log_events("request")) < 10, "one in a hundred refusals is logged"
    assert server.log_events("nginx") == []


def test_a_client_that_sends_slowly_takes_no_room_in_a_worker(serve: Serve) -> None:
    server = serve(env=LIMIT)
    server.wait_ready()
    slow = [Wire(server.port) for _ in range(20)]
    for wire in slow:
        wire.send([request(b'{"do": "echo"}', "application/json")[:-5]])
    wait_until(lambda: server.connections() == 20, 5, "all are connected")
    assert server.invoke({"do": "echo"}).status == 200
    for wire in slow:
        wire.close()
