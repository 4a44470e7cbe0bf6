"""INV-*: what /invocations answers, through nginx and gunicorn of the image. Ids: docs/contract.md."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.image.conftest import open_to_all
from tests.image.container import Container
from tests.system.replies import Reply

Run = Callable[..., Container]
ROW = b"5.1,3.5,1.4,0.2\n"
ORDER = json.dumps({}).encode()
BYTES = "application/octet-stream"
MEGABYTE = 1_000_000


def csv(container: Container, body: bytes = ROW, content_type: str = "text/csv", **headers: str) -> Reply:
    return container.invoke(body, content_type, **headers)


def raw(container: Container, *parts: bytes, pause_s: float = 0) -> bytes:
    """Send bytes as they are, part by part, and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", container.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(*lines: str) -> bytes:
    first = "POST /invocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/csv\r\n"
    return (first + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


def test_inv_01_sample_payload_is_answered(sample: Container) -> None:
    reply = csv(sample)
    assert (reply.status, reply.json()) == (200, ["setosa"])


def test_inv_02_answer_takes_under_60_s(sample: Container) -> None:
    assert csv(sample).seconds < 60


def test_inv_03_and_04_25_mb_go_in_and_out(obedient: Container) -> None:
    body = random.Random(0).randbytes(25 * MEGABYTE)
    reply = obedient.invoke(body, BYTES)
    assert (reply.status, hashlib.sha256(reply.body).digest()) == (200, hashlib.sha256(body).digest())


def test_inv_04_25_mb_answer_to_a_small_question(obedient: Container) -> None:
    reply = obedient.invoke({"answer_bytes": 25 * MEGABYTE})
    assert (reply.status, len(reply.body)) == (200, 25 * MEGABYTE)


def test_inv_05_4_mb_work_within_serverless_limits(sample: Container) -> None:
    """The containers of these tests have them: read-only root, 1 GB, no /dev/shm, not root."""
    rows = 4 * MEGABYTE // len(ROW)
    reply = csv(sample, ROW * rows)
    assert (reply.status, len(reply.json())) == (200, rows)


def test_inv_06_chunked_body_without_length_is_accepted(sample: Container) -> None:
    answer = raw(sample, head("Transfer-Encoding: chunked"), b"8\r\n5.1,3.5,\r\n", b"8\r\n1.4,0.2\n\r\n", b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'["setosa"]')


def test_inv_07_expect_100_continue_is_handled(sample: Container) -> None:
    """curl sends it with more than a megabyte, and waits."""
    with socket.create_connection(("127.0.0.1", sample.port), timeout=10) as connection:
        connection.sendall(head("Expect: 100-continue", f"Content-Length: {len(ROW)}"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(ROW)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_inv_08_content_type_matches_the_body(sample: Container) -> None:
    reply = csv(sample)
    assert (reply.content_type, json.loads(reply.body)) == ("application/json", ["setosa"])


@pytest.fixture(scope="module")
def adder(start: Run, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A model that answers numbers, which all media types can carry."""
    model_dir = tmp_path_factory.mktemp("adder") / "model"
    (model_dir / "code").mkdir(parents=True)
    program = "def model_fn(model_dir): ...\ndef predict_fn(data, model): return data.sum(axis=1)\n"
    (model_dir / "code" / "inference.py").write_text(program)
    container = start(model_dir=open_to_all(model_dir))
    container.wait_ready()
    return container


@pytest.mark.parametrize(
    ("accept", "beginning"),
    [
        ("application/json", b"[3.5,7.0]"),
        ("application/jsonlines", b"3.5\n7.0"),
        ("text/csv", b"3.5\n7.0"),
        ("application/x-npy", b"\x93NUMPY"),
    ],
)
def test_inv_09_accept_is_honoured(accept: str, beginning: bytes, adder: Container) -> None:
    reply = csv(adder, b"1,2.5\n3,4\n", accept=accept)
    assert reply.status == 200, reply
    assert (reply.content_type.partition(";")[0], reply.body[: len(beginning)]) == (accept, beginning)


@pytest.fixture(scope="module")
def csv_by_default(start: Run, model_dir: Path) -> Container:
    container = start(model_dir=model_dir, env={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    container.wait_ready()
    return container


@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}], ids=["no Accept", "any"])
def test_inv_10_default_accept_is_the_variables(headers: dict[str, str], csv_by_default: Container) -> None:
    reply = csv(csv_by_default, **headers)
    assert reply.content_type.partition(";")[0] == "text/csv"


def test_inv_11_accept_list_with_weights_is_understood(sample: Container) -> None:
    reply = csv(sample, accept="application/json;q=0.5, text/csv")
    assert reply.content_type.partition(";")[0] == "text/csv"


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "TEXT/CSV", "Text/Csv ;Charset=UTF-8"])
def test_inv_12_parameters_and_case_of_content_type_do_not_matter(content_type: str, sample: Container) -> None:
    assert csv(sample, content_type=content_type).status == 200


def test_inv_13_unknown_content_type_is_415(sample: Container) -> None:
    assert csv(sample, content_type="application/x-nope").status == 415


def test_inv_14_unknown_accept_is_406(sample: Container) -> None:
    assert csv(sample, accept="application/x-nope").status == 406


@pytest.mark.parametrize("body", [b'{"instances": [[1, 2', b"nonsense", b"\xff\xfe\x00"])
def test_inv_15_malformed_body_is_the_clients_error(body: bytes, sample: Container) -> None:
    assert csv(sample, body, "application/json").status == 400


@pytest.mark.parametrize("content_type", ["text/csv", "application/json", "application/x-npy"])
def test_inv_16_empty_body_is_the_clients_error(content_type: str, sample: Container) -> None:
    assert csv(sample, b"", content_type).status == 400


def test_inv_17_without_content_type_json_is_taken(sample: Container) -> None:
    body = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
    assert sample.request("POST", "/invocations", body).status == 200


def test_inv_18_and_19_error_is_short_and_tells_nothing_of_the_machine(sample: Container) -> None:
    """Every error reply of every test is checked for it: tests/system/replies.py. Here with a long cause."""
    reply = csv(sample, b"a," * 50_000 + b"\n")
    assert 400 <= reply.status < 500
    assert len(reply.body) <= 2048


def test_inv_20_custom_attributes_reach_the_handler_and_come_back_only_if_set(obedient: Container) -> None:
    silent = obedient.invoke({}, x_amzn_sagemaker_custom_attributes="trace=1")
    assert silent.json()["custom_attributes"] == "trace=1"
    assert "X-Amzn-SageMaker-Custom-Attributes" not in silent.headers
    answer = obedient.invoke({"custom_attributes": "seen=2"})
    assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == "seen=2"


def test_inv_21_four_headers_of_1024_characters_are_accepted_together(sample: Container) -> None:
    """Over 4 KB of headers, and with all others of the contract over 6 KB."""
    reply = csv(
        sample,
        content_type="text/csv; x=".ljust(1024, "a"),
        accept="application/json; x=".ljust(1024, "a"),
        x_amzn_sagemaker_custom_attributes="c" * 1024,
        x_amzn_sagemaker_target_model="m" * 1024,
        x_amzn_sagemaker_session_id="s" * 256,
        x_amzn_sagemaker_inference_id="i" * 64,
    )
    assert (reply.status, reply.json()) == (200, ["setosa"])


def test_inv_22_platform_headers_without_a_meaning_here_are_harmless(sample: Container) -> None:
    names = ("Inference-Id", "Target-Variant", "Target-Model", "Session-Id", "Enable-Explanations", "Not-Invented-Yet")
    reply = csv(sample, **{f"x_amzn_sagemaker_{name}": "value" for name in names})
    assert (reply.status, reply.json()) == (200, ["setosa"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", 405), ("GET", "/", 404), ("POST", "/nope", 404), ("DELETE", "/ping/x", 404)],
)
def test_inv_23_other_methods_and_paths_are_refused_at_once(
    method: str, path: str, status: int, sample: Container
) -> None:
    reply = sample.request(method, path)
    assert (reply.status, reply.seconds < 1) == (status, True)
    assert sample.ping().status == 200


def test_inv_24_bytes_come_through_untouched(obedient: Container) -> None:
    body = bytes(range(256)) * 64
    assert obedient.invoke(body, BYTES).body == body


def test_inv_25_parallel_clients_get_their_own_answers(sample: Container) -> None:
    bodies = {b"5.1,3.5,1.4,0.2\n": "setosa", b"6.3,2.7,4.9,1.8\n": "virginica"}
    wanted = list(bodies.items()) * 100

    def ask(pair: tuple[bytes, str]) -> bool:
        body, answer = pair
        reply: Any = csv(sample, body)
        return reply.status == 200 and reply.json() == [answer]

    with ThreadPoolExecutor(16) as clients:
        assert all(clients.map(ask, wanted))
    assert sample.ping().seconds < 2


def test_inv_26_client_that_leaves_mid_request_does_no_harm(sample: Container) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", sample.port), timeout=10) as connection:
            connection.sendall(head("Content-Length: 100000") + ROW)
    assert csv(sample).status == 200


@pytest.mark.slow
def test_inv_27_body_that_takes_10_s_is_not_reset(sample: Container) -> None:
    answer = raw(sample, head(f"Content-Length: {len(ROW)}"), *(ROW[i : i + 1] for i in range(len(ROW))), pause_s=0.6)
    assert answer.startswith(b"HTTP/1.1 200 ")
