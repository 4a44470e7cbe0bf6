"""GET /metrics through the real nginx: right over all workers and their deaths, and at once whatever they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.system.client import wait_until
from tests.system.server import Server

Serve = Callable[..., Server]
ANSWER_LIMIT_S = 0.02
CLIENTS = 8


def samples(server: Server) -> dict[str, float]:
    """Sample -> value, labels included, without pids."""
    reply = server.request("GET", "/metrics")
    assert (reply.status, reply.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = [sample for family in parse(reply.body.decode()) for sample in family.samples]
    return {f"{each.name}{''.join(v for k, v in each.labels.items() if k != 'pid')}": each.value for each in found}


def wait_for(server: Server, **wanted: float) -> dict[str, float]:
    """The samples, once these are so."""
    return wait_until(
        lambda: found if (found := samples(server)).items() >= wanted.items() else None, 5, f"{wanted} in /metrics"
    )


def test_requests_of_all_workers_are_counted_by_status_and_time(serve: Serve) -> None:
    server = serve(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}, expect=("as asked",))
    server.wait_ready()
    assert len({server.invoke({"do": "sleep", "s": 0.02}).json()["pid"] for _ in range(20)}) == 2
    assert [server.invoke({"do": "raise"}).status, server.request("POST", "/nowhere", b"").status] == [500, 404]
    found = wait_for(server, serving_requests_total200=20, serving_requests_total500=1, serving_requests_total404=1)
    assert (found["serving_request_seconds_count"], found["serving_stage_seconds_countpredict"]) == (22, 21)
    assert found["serving_stage_seconds_sumpredict"] >= 20 * 0.02
    assert found["serving_workers_ready"] == 2
    assert found["serving_model_load_seconds"] > 0
    assert found["serving_worker_memory_bytes"] > 10**7


def test_what_a_dead_worker_counted_stays(serve: Serve) -> None:
    server = serve(expect=("SIGKILL", "killed", "exited", "not_ready"))
    server.wait_ready()
    for _ in range(3):
        server.invoke({"do": "echo"})
    wait_for(server, serving_requests_total200=3)
    server.invoke({"do": "die"})
    server.wait_serving(20)
    found = wait_for(server, serving_exits_totalworker=1, serving_workers_ready=1)
    assert found["serving_requests_total200"] >= 4


def test_it_is_answered_at_once_before_the_model_is_loaded_and_at_full_load(serve: Serve) -> None:
    server = serve(env={"LOAD_GATE": "load"})
    wait_until(server.listens, 10, "nginx listens")
    assert samples(server)["serving_workers_ready"] == 0
    server.open_gate("load")
    server.wait_ready()
    busy: list[Any] = [server.invoke_later({"do": "sleep", "s": 0.3}) for _ in range(CLIENTS)]
    seconds = sorted(server.request("GET", "/metrics").seconds for _ in range(50))
    assert seconds[len(seconds) // 2] < ANSWER_LIMIT_S
    assert [future.result().status for future in busy] == [200] * CLIENTS


def test_it_is_read_only(serve: Serve) -> None:
    server = serve()
    server.wait_ready()
    reply = server.request("POST", "/metrics", b"")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
