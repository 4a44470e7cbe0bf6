"""SIP-* and MCE-*: two containers of the image in one network, a scaler and a classifier, as one endpoint.

local_test.pipeline starts them and is the platform: https://docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local_test.pipeline import FIRST_PORT, Wanted, running
from local_test.stages import BETWEEN_BYTES, DIRECT, TARGET, Answer, Endpoint
from tests.dockerfile import ROOT
from tests.image.conftest import open_to_all
from tests.image.container import docker, parsed
from tests.system.client import wait_until

SCALER, CLASSIFIER = "container-1", "container-2"
ROWS, SPECIES = b"5.1,3.5,1.4,0.2\n6.3,2.7,4.9,1.8\n", ["setosa", "virginica"]
IN_CSV = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
MOST_ROWS = 50_000


@pytest.fixture(scope="module")
def endpoint(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("pipeline")
    subprocess.run([sys.executable, "-m", "examples.pipeline.make_artifacts", folder], cwd=ROOT, check=True)
    open_to_all(folder)
    stages = [Wanted(folder / "scaler", image, IN_CSV), Wanted(folder / "classifier", image)]
    with running(stages) as ready:
        yield ready


def name_of(container: str) -> str:
    return f"sagemaker-pipeline-{os.getpid()}-{container}"


def requests_of(container: str) -> list[dict[str, Any]]:
    """What its log tells of the requests that it had."""
    return [
        each for each in map(parsed, docker("logs", name_of(container)).splitlines()) if each.get("event") == "request"
    ]


def invoke(endpoint: Endpoint, body: bytes = ROWS, **headers: str) -> Answer:
    return endpoint.invoke(body, {"Content-Type": "text/csv", **headers})


def logged(endpoint: Endpoint, body: bytes = ROWS, **headers: str) -> tuple[Answer, dict[str, Any], dict[str, Any]]:
    """The answer, and what scaler and classifier logged of it, which may come later."""
    both = (SCALER, CLASSIFIER)
    before = {each: len(requests_of(each)) for each in both}
    answer = invoke(endpoint, body, **headers)
    wait_until(lambda: all(len(requests_of(each)) > before[each] for each in both), 10, "both have logged it")
    return answer, requests_of(SCALER)[-1], requests_of(CLASSIFIER)[-1]


def test_sip_01_the_classifier_takes_the_scalers_answer_by_its_content_type(endpoint: Endpoint) -> None:
    answer, _, classified = logged(endpoint)
    assert (answer.status, json.loads(answer.body)) == (200, SPECIES)
    assert classified["content_type"] == "text/csv"


def test_sip_02_the_scaler_is_asked_without_accept_and_the_last_one_with_the_clients(endpoint: Endpoint) -> None:
    answer, scaled, classified = logged(endpoint, Accept="text/csv")
    assert (answer.body.decode().split(), answer.headers["content-type"]) == (SPECIES, "text/csv")
    assert (scaled["accept"], classified["accept"]) == (None, "text/csv")


def test_sip_03_nearly_5_mb_pass_from_one_to_the_other_and_more_is_the_first_ones_error(endpoint: Endpoint) -> None:
    passed, scaled, _ = logged(endpoint, ROWS * (MOST_ROWS // 2))
    assert (passed.status, len(json.loads(passed.body))) == (200, MOST_ROWS)
    assert 0.7 * BETWEEN_BYTES < scaled["bytes_out"] <= BETWEEN_BYTES
    refused = invoke(endpoint, ROWS * MOST_ROWS)
    assert (refused.status, "container-1 answered" in json.loads(refused.body)["Message"]) == (424, True)


def test_sip_04_what_the_scaler_refuses_never_comes_to_the_classifier(endpoint: Endpoint) -> None:
    before = len(requests_of(CLASSIFIER))
    answer = invoke(endpoint, b"1,2,3\n")
    error = json.loads(answer.body)
    assert (answer.status, error["OriginalStatusCode"]) == (424, 422)
    assert "from container-1" in error["Message"]
    assert "The rows have 3 columns, the model takes 4" in error["OriginalMessage"]
    assert len(requests_of(CLASSIFIER)) == before


def test_mce_01_each_listens_on_its_own_port_of_the_one_network_and_on_no_other(endpoint: Endpoint) -> None:
    """The range that SAGEMAKER_SAFE_PORT_RANGE gives each is not even needed."""
    tables = docker("exec", name_of(CLASSIFIER), "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6").splitlines()
    rows = [line.split() for line in tables if "local_address" not in line]
    listening = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}  # TCP_LISTEN, net/tcp_states.h
    assert listening == {FIRST_PORT, FIRST_PORT + 1}


def test_mce_01_in_direct_mode_the_hostname_chooses_the_container(endpoint: Endpoint) -> None:
    direct = Endpoint(endpoint.stages, DIRECT)
    scaled = invoke(direct, **{TARGET: SCALER})
    assert [len(row.split(",")) for row in scaled.body.decode().split()] == [4, 4]
    assert json.loads(invoke(direct, scaled.body, **{TARGET: CLASSIFIER}).body) == SPECIES
    assert invoke(direct, **{TARGET: "container-3"}).status == 400
