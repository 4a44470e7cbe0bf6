"""What SageMaker's contract says of /ping and /invocations, on the shipped sample behind the real nginx and gunicorn.

The names of the tests begin with the ids of docs/contract.md.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.system.replies import Reply
from tests.system.sample import ANSWER, ROW
from tests.system.server import ROOT, Server

INSTANCES = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
PING_LIMIT_S = 2.0
ACCEPT_LIMIT_S = 0.25
ANSWER_LIMIT_S = 60.0
ERROR_LIMIT_CHARS = 2048
PREDICTOR = """
def predict_fn(data, model):
    return [1.5] * len(data)

def model_fn(model_dir):
    pass
"""


def invoke_raw(server: Server, body: bytes, **headers: str) -> Reply:
    """A request with these headers and no other, not even a Content-Type."""
    return server.request("POST", "/invocations", body, {k.replace("_", "-"): v for k, v in headers.items()})


def load(sample: Server, probe: Callable[[], Reply], clients: int = 16) -> list[Reply]:
    """What probe answers, again and again, while clients send a thousand rows each."""
    with ThreadPoolExecutor(clients) as pool:
        work = [pool.submit(sample.invoke, ROW * 1000, "text/csv") for _ in range(clients * 10)]
        probes = [probe()]
        while not all(each.done() for each in work):
            probes.append(probe())
        assert {200} == {each.result().status for each in work}
    return probes


# /ping


def test_png_01_and_03_ping_is_200_and_empty(sample: Server) -> None:
    reply = sample.ping()
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", "0")


def test_png_02_and_04_ping_is_in_time_when_idle(sample: Server) -> None:
    replies = [sample.ping() for _ in range(100)]
    assert max(reply.seconds for reply in replies) < PING_LIMIT_S
    assert max(reply.connect_s for reply in replies) < ACCEPT_LIMIT_S


def test_png_02_04_06_ping_is_200_in_time_under_load(sample: Server) -> None:
    replies = load(sample, sample.ping)
    assert {200} == {reply.status for reply in replies}
    assert max(reply.seconds for reply in replies) < PING_LIMIT_S
    assert max(reply.connect_s for reply in replies) < ACCEPT_LIMIT_S


def test_png_05_the_first_200_is_followed_by_an_answer(serve: Callable[..., Server]) -> None:
    server = serve(predictor=f"import time\n{PREDICTOR}    time.sleep(0.5)\n")
    server.wait_ready()
    assert server.invoke(ROW, "text/csv").json() == [1.5]


@pytest.mark.parametrize("path", ["/ping", "/invocations"])
def test_png_07_host_and_agent_do_not_matter(sample: Server, path: str) -> None:
    method, body = ("GET", None) if path == "/ping" else ("POST", ROW)
    for host in ("model.aws.local:8080", "169.254.255.131:8080", "x" * 200):
        for agent in ("AHC/2.0", "", "kube-probe/1.30", "ELB-HealthChecker/2.0"):
            headers = {"Host": host, "User-Agent": agent, "Content-Type": "text/csv"}
            assert sample.request(method, path, body, headers).status == 200


# /invocations


def test_inv_01_the_sample_payloads_are_answered(sample: Server) -> None:
    payloads = ROOT / "local_test" / "payloads"
    for name, content_type in (("iris.csv", "text/csv"), ("iris.json", "application/json")):
        reply = sample.invoke((payloads / name).read_bytes(), content_type)
        assert (reply.status, reply.json()) == (200, ["setosa", "versicolor", "virginica"])


def test_inv_02_an_answer_comes_in_time_under_load(sample: Server) -> None:
    replies = load(sample, lambda: sample.invoke(ROW, "text/csv"))
    assert {200} == {reply.status for reply in replies}
    assert max(reply.seconds for reply in replies) < ANSWER_LIMIT_S


@pytest.mark.parametrize(
    ("accept", "read"),
    [
        ("application/json", lambda body: json.loads(body)),
        ("application/jsonlines", lambda body: [json.loads(line) for line in body.splitlines()]),
        ("text/csv", lambda body: body.decode().splitlines()),
    ],
)
def test_inv_08_and_09_the_answer_is_what_accept_asks_for(
    sample: Server, accept: str, read: Callable[[bytes], object]
) -> None:
    reply = sample.invoke(ROW * 2, "text/csv", accept=accept)
    assert (200, accept, ANSWER * 2) == (reply.status, reply.content_type, read(reply.body))


def test_inv_05_4_mb_are_answered(sample: Server) -> None:
    """The limit of serverless endpoints."""
    rows = 4 * 1024 * 1024 // len(ROW)
    reply = sample.invoke(ROW * rows, "text/csv")
    assert (200, ANSWER * rows) == (reply.status, reply.json())


def test_inv_09_each_content_type_is_read(sample: Server) -> None:
    array = io.BytesIO()
    np.save(array, np.array(INSTANCES["instances"]))
    bodies = {
        "text/csv": ROW,
        "application/json": json.dumps(INSTANCES).encode(),
        "application/jsonlines": b"[5.1, 3.5, 1.4, 0.2]\n",
        "application/x-npy": array.getvalue(),
    }
    for content_type, body in bodies.items():
        assert sample.invoke(body, content_type).json() == ANSWER


def test_inv_10_no_accept_and_any_accept_mean_the_default(serve: Callable[..., Server]) -> None:
    server = serve(predictor=PREDICTOR, env={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    server.wait_ready()
    assert invoke_raw(server, ROW, Content_Type="text/csv").content_type == "text/csv"
    assert server.invoke(ROW, "text/csv", accept="*/*").content_type == "text/csv"
    assert server.invoke(ROW, "text/csv", accept="application/json").content_type == "application/json"


@pytest.mark.parametrize("accept", ["application/json, text/csv;q=0.5", "text/csv;q=0.5, application/json"])
def test_inv_11_a_list_of_types_goes_by_weight(sample: Server, accept: str) -> None:
    assert sample.invoke(ROW, "text/csv", accept=accept).content_type == "application/json"


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "TEXT/CSV", "Text/Csv;Header=absent"])
def test_inv_12_case_and_parameters_of_content_type_do_not_matter(sample: Server, content_type: str) -> None:
    assert sample.invoke(ROW, content_type).json() == ANSWER


def test_inv_13_to_18_a_mistake_is_a_short_4xx_that_says_what_to_change(sample: Server) -> None:
    """The whole corpus of them is replayed in test_requests; the client here checks every error's shape."""
    mistakes = {
        (415, "application/x-nope", ""): ROW,  # INV-13
        (406, "text/csv", "application/x-nope"): ROW,  # INV-14
        (400, "application/json", ""): b'{"instances": [',  # INV-15
        (400, "text/csv", ""): b"",  # INV-16
        (422, "text/csv", ""): ",".join(["column"] * 10_000).encode(),  # INV-18
    }
    for (status, content_type, accept), body in mistakes.items():
        reply = sample.invoke(body, content_type, accept=accept or "*/*")
        assert status == reply.status
        assert len(reply.body.decode()) <= ERROR_LIMIT_CHARS


def test_inv_17_no_content_type_means_json(sample: Server) -> None:
    assert invoke_raw(sample, json.dumps(INSTANCES).encode()).json() == ANSWER


def test_inv_19_a_fault_of_the_model_code_is_a_500_without_its_traceback(serve: Callable[..., Server]) -> None:
    """The client here fails at a path or a traceback in any error body."""
    server = serve(expect=("request_failed",))
    server.wait_ready()
    reply = server.invoke({"do": "raise", "text": "secret"})
    assert reply.status == 500
    assert b"secret" not in reply.body
    (event,) = server.log_events("request_failed")
    assert event["request_id"] == reply.request_id
    assert "secret" in event["traceback"]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/invocations", 405), ("DELETE", "/invocations", 405), ("GET", "/nope", 404), ("POST", "/", 404),
])  # fmt: skip
def test_inv_23_a_wrong_method_or_path_is_refused_at_once(sample: Server, method: str, path: str, status: int) -> None:
    reply = sample.request(method, path, b"")
    assert status == reply.status
    assert reply.seconds < 1
    assert (status != 405) or reply.headers["Allow"] == "POST"
    assert sample.invoke(ROW, "text/csv").json() == ANSWER


def test_bt_05_1000_rows_come_back_in_their_order(sample: Server) -> None:
    rows = [ROW, b"6.3,2.7,4.9,1.8\n"] * 500
    assert sample.invoke(b"".join(rows), "text/csv").json() == ["setosa", "virginica"] * 500


def test_bt_10_the_same_request_gets_the_same_answer(sample: Server) -> None:
    """From either worker."""
    assert {b'["setosa"]'} == {sample.invoke(ROW, "text/csv").body for _ in range(20)}


def test_png_06_ping_stays_200_after_errors(sample: Server) -> None:
    for _ in range(100):
        sample.invoke(b"{", "application/json")
    ends_s = time.monotonic() + 1
    while time.monotonic() < ends_s:
        assert sample.ping().status == 200


def test_bt_02_03_batch_transform_is_told_how_to_send_its_records(sample: Server) -> None:
    reply = sample.request("GET", "/execution-parameters")
    assert (reply.status, reply.content_type) == (200, "application/json")
    told = reply.json()
    assert told == {"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 25}
    assert told["MaxConcurrentTransforms"] * told["MaxPayloadInMB"] <= 100


def test_bt_02_execution_parameters_are_read_only(sample: Server) -> None:
    reply = sample.request("POST", "/execution-parameters", b"{}")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
