"""More models than processes: all are listed and answer, those used last have a process, and memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.client import wait_until
from tests.system.many import ManyModels

PLACES = 10
MODELS = [f"m{number:02}" for number in range(40)]
PROCESS_LIMIT_BYTES = 20 << 20
EXPECTED = ("model_failed", "model_lost")


@pytest.fixture(scope="module", params=["loop", "gthread"])
def full(request: pytest.FixtureRequest) -> Iterator[ManyModels]:
    """40 models and 10 places for processes."""
    env = {"SERVING_WORKER_CLASS": request.param, "SERVING_MODEL_PROCESSES": str(PLACES)}
    server = ManyModels(env=env, expect=EXPECTED)
    try:
        server.start().wait_ready()
        server.load(MODELS[0])
        server.unload(MODELS[0])  # what only the first load takes
        empty = server.memory_bytes()
        assert {server.load(name).status for name in MODELS} == {200}
        assert server.memory_bytes() - empty < PLACES * PROCESS_LIMIT_BYTES
        yield server
    finally:
        server.close()


def processes(server: ManyModels) -> int:
    return len(server.nursery().children())


def is_awake(server: ManyModels, name: str) -> bool:
    """Whether the last that the log says of it is not that it sleeps."""
    events = [*server.log_events("model_sleeps"), *server.log_events("model_wakes")]
    told = sorted((each["time"], each["event"]) for each in events if each["model"] == name)
    return not told or told[-1][1] == "model_wakes"


def put_to_sleep(server: ManyModels, name: str) -> None:
    """By asking others."""
    for other in MODELS[::-1]:
        if not is_awake(server, name):
            return
        if other != name:
            assert server.ask(other).status == 200
    raise AssertionError(f"{name} does not sleep")


def woken(server: ManyModels, name: str) -> int:
    """How often."""
    return sum(each["model"] == name for each in server.log_events("model_wakes"))


def test_all_are_on_the_pages_and_answer_and_no_more_than_may_have_a_process(full: ManyModels) -> None:
    assert full.names() == MODELS
    assert [full.ask(name).json()["says"] for name in MODELS] == MODELS
    assert processes(full) == PLACES
    wanted = ('serving_models{state="awake"} 10\n', 'serving_models{state="asleep"} 30\n')
    wait_until(lambda: all(each in metrics(full) for each in wanted), 5, f"{wanted} in /metrics")


def test_who_asks_for_a_sleeping_model_at_once_shares_one_load(full: ManyModels) -> None:
    put_to_sleep(full, "m05")
    wakes = woken(full, "m05")
    replies = [each.result() for each in [full.ask_later("m05") for _ in range(8)]]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["pid"] for reply in replies}) == 1
    assert woken(full, "m05") == wakes + 1


def test_a_model_with_a_request_keeps_its_process(full: ManyModels) -> None:
    held = full.ask_later("m20", {"do": "wait", "gate": "held"})
    full.wait_gate("held")
    assert {full.ask(name).status for name in MODELS if name != "m20"} == {200}
    assert is_awake(full, "m20")
    full.open_gate("held")
    assert (held.result().status, full.ask("m20").json()["pid"]) == (200, held.result().json()["pid"])
    for gate in full.gates.iterdir():
        gate.unlink()


def test_a_name_that_is_no_file_name_wakes_too(full: ManyModels) -> None:
    assert full.load_at("mit Raum", full.put_model("named")).status == 200
    assert {full.ask(name).status for name in MODELS} == {200}
    assert not is_awake(full, "mit Raum")
    assert full.ask("mit%20Raum").json()["says"] == "named"
    assert full.unload("mit%20Raum").status == 200


def test_a_sleeping_model_is_told_of_and_unloaded_like_any(full: ManyModels) -> None:
    put_to_sleep(full, "m07")
    assert (full.get("m07").status, full.load("m07").status) == (200, 409)
    assert (full.unload("m07").status, full.ask("m07").status) == (200, 404)
    assert full.load("m07").status == 200


def test_a_model_that_cannot_be_loaded_again_is_lost_and_who_asked_is_told(full: ManyModels) -> None:
    put_to_sleep(full, "m09")
    (full.models_dir / "m09" / "model" / "order.json").write_text("{")
    assert full.ask("m09").status == 404
    assert "m09" not in full.names()
    assert full.wait_event("model_lost")["model"] == "m09"
    assert full.load("m09").status == 200


def test_each_models_own_numbers_are_in_the_metrics_while_it_is_awake(full: ManyModels) -> None:
    put_to_sleep(full, "m01")
    full.ask("m02", {"do": "work", "s": 0.1})
    full.ask("m02", b"{")
    wanted = (
        'requests_total{model="m02",class="4xx"} 1',
        'predict_seconds_total{model="m02"} 0.',
        'memory_bytes{model="m02"} ',
    )
    wait_until(lambda: all(f"serving_model_{each}" in metrics(full) for each in wanted), 5, f"{wanted} in /metrics")
    assert 'model="m01"' not in metrics(full)


def test_what_sleeping_models_counted_stays_in_the_sums(full: ManyModels) -> None:
    for name in MODELS:
        assert full.ask(name).status == 200

    def counted() -> bool:
        line = next(line for line in metrics(full).splitlines() if 'requests_total{status="200"}' in line)
        return int(line.split()[1]) == sum(each["status"] == 200 for each in full.log_events("request"))

    wait_until(counted, 5, "each answer of the log is counted once")


def metrics(server: ManyModels) -> str:
    return server.request("GET", "/metrics").body.decode()
