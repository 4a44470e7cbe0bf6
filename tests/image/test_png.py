"""PNG-*, OBS-01: /ping tells the truth, and at once. Ids: docs/contract.md."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from tests.image.container import Container
from tests.system.client import wait_until
from tests.system.replies import Reply

Run = Callable[..., Container]
ROWS = b"5.1,3.5,1.4,0.2\n" * 100
LIMIT_S = 2.0  # the platform's time-out for one attempt
ACCEPT_LIMIT_S = 0.25


def pings_under_load(container: Container, count: int) -> list[Reply]:
    """count pings, one after the other, while 16 clients invoke as fast as they can."""
    with ThreadPoolExecutor(16) as clients:
        load = [clients.submit(container.invoke, ROWS, "text/csv") for _ in range(400)]
        pings = [container.ping() for _ in range(count)]
        busy = [future for future in load if not future.done()]
        assert busy, "the load ended before the pings did"
        wait(load)
    assert {future.result().status for future in load} <= {200, 503}
    return pings


def test_png_01_ready_is_200(sample: Container) -> None:
    assert sample.ping().status == 200


def test_png_02_every_answer_takes_under_2_s_at_full_load(sample: Container) -> None:
    pings = pings_under_load(sample, 100)
    assert {ping.status for ping in pings} == {200}
    assert max(ping.seconds for ping in pings) < LIMIT_S


def test_png_03_body_is_empty(sample: Container) -> None:
    ping = sample.ping()
    assert (ping.body, ping.headers["Content-Length"]) == (b"", "0")


def test_png_04_connection_is_accepted_within_250_ms(sample: Container) -> None:
    idle = [sample.ping().connect_s for _ in range(20)]
    loaded = [ping.connect_s for ping in pings_under_load(sample, 50)]
    assert max(idle + loaded) < ACCEPT_LIMIT_S


def test_png_05_never_200_before_the_model_is_loaded(run: Run, obedient_dir: Path) -> None:
    """The first 200 is followed by a request that works (LOC-02)."""
    container = run(model_dir=obedient_dir, env={"LOAD_S": "3"})
    ready_s = container.wait_ready()
    assert container.invoke({}).status == 200
    assert ready_s > 3


def test_png_06_once_200_it_stays_200(sample: Container) -> None:
    """Longer in the soak; here six seconds."""
    end_s = time.monotonic() + 6
    while time.monotonic() < end_s:
        assert sample.ping().status == 200
        time.sleep(0.25)


def test_png_07_odd_host_and_agent_are_accepted(sample: Container) -> None:
    headers = {"Host": "model.aws.local:8080", "User-Agent": "AHC/2.0"}
    assert sample.request("GET", "/ping", headers=headers).status == 200


def test_png_08_one_connection_serves_many_pings(sample: Container) -> None:
    """Each other test opens one for each request."""
    connection = http.client.HTTPConnection("127.0.0.1", sample.port, timeout=10)
    statuses = []
    for _ in range(20):
        connection.request("GET", "/ping")
        response = connection.getresponse()
        response.read()
        statuses.append((response.status, response.will_close))
    connection.close()
    assert statuses == [(200, False)] * 20


def test_png_09_no_longer_200_when_the_only_worker_hangs_until_it_is_replaced(run: Run, obedient_dir: Path) -> None:
    env = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "1"}
    container = run(model_dir=obedient_dir, env=env, expect=("worker_stuck", "WORKER TIMEOUT"))
    container.wait_ready()
    hanging = container.invoke_later({"sleep_s": 60})
    wait_until(lambda: not container.is_ready(), 10, "/ping is not 200")
    assert hanging.result().status == 504
    wait_until(container.is_ready, 30, "/ping is 200")
    assert container.invoke({}).status == 200


def test_obs_01_metrics_is_a_quick_404_or_text(sample: Container) -> None:
    """The platform may scrape it every minute."""
    reply = sample.request("GET", "/metrics")
    assert reply.status in (200, 404)
    assert reply.seconds < LIMIT_S
