"""IMG: each assertion is held by the twin's image and broken by one made from it, or by what a registry has of it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from local_test.conformance.bench import Options
from local_test.conformance.catalogue import select
from local_test.conformance.claims import CAPABILITY
from local_test.conformance.registry import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from local_test.conformance.runner import Outcome, run
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image
from tests.conformance.derived import derived
from tests.conformance.judge import DEFAULTS, Judge, Verdicts, neighbours
from tests.image.container import docker
from tests.registry import without_login

HERE = {"os": "linux", "architecture": "amd64"}
NOWHERE = {"os": "unknown", "architecture": "unknown"}
OTHER_TYPE = "ml.m5.large" if platform.machine() in ("aarch64", "arm64") else "ml.c7g.large"

PUSHED = {
    "IMG-01": (OCI_INDEX, [(DOCKER_MANIFEST, HERE)]),
    "IMG-02": (OCI_MANIFEST, []),
    "IMG-03": (DOCKER_LIST, [(DOCKER_MANIFEST, HERE), (DOCKER_MANIFEST, NOWHERE)]),
}
"""What the registry has: its type, and the types and platforms of what it lists."""

LINES = {
    "IMG-05": "ENTRYPOINT []",
    "IMG-06": "ENTRYPOINT exec python /opt/twin serve",
    "IMG-07": "RUN printf '#!/bin/sh\\nexec \"$@\"' > /sbin/tini; chmod +x /sbin/tini\n"
    'ENTRYPOINT ["/sbin/tini", "python", "/opt/twin"]',
    "IMG-08": "USER 1000",
    "IMG-09": "RUN mkdir -p /opt/ml/model; touch /opt/ml/model/model.bin",
    "IMG-10": "RUN touch /usr/lib/libcuda.so.535.104.05",
    "IMG-12": f"LABEL {CAPABILITY}multi-models=yes",
    "IMG-13": f"LABEL {CAPABILITY}accept-bind-to-port=True",
    "IMG-14": f'LABEL {CAPABILITY}bidirectional-streaming=""',
    "IMG-15": "ENV no.name=1",
}
"""Lines of a Dockerfile FROM the twin."""

COUNTER_EXAMPLES = {
    **{name: f"the registry has {media_type}" for name, (media_type, _) in PUSHED.items()},
    "IMG-04": f"an instance type of another architecture: {OTHER_TYPE}",
    **LINES,
    "IMG-11": "an engine that says 11 GB",
}

Push = Callable[..., str]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with without_login(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def push(registry: str, twin_image: str) -> Iterator[Push]:
    """push(MEDIA_TYPE, LISTED) -> a name of the twin's under which the registry has something of that type."""
    name = f"{registry}/conformance-twin:test"

    def push_one(media_type: str, listed: list[tuple[str, dict[str, str]]]) -> str:
        repository = f"http://{registry}/v2/conformance-twin"
        if listed:
            entries = [{**put_image(repository, each), "platform": where} for each, where in listed]
            put(repository, "test", {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
        else:
            put_image(repository, media_type, "test")
        docker("tag", twin_image, name)
        return name

    yield push_one
    docker("rmi", name)


def put_image(repository: str, media_type: str, tag: str = "") -> dict[str, Any]:
    """An image without layers; its descriptor."""
    config = {**put_blob(repository, b"{}"), "mediaType": "application/vnd.docker.container.image.v1+json"}
    return put(repository, tag, {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []})


def put(repository: str, tag: str, manifest: dict[str, Any]) -> dict[str, Any]:
    body, media_type = json.dumps(manifest).encode(), manifest["mediaType"]
    headers = {"Content-Type": media_type}
    url = f"{repository}/manifests/{tag or digest(body)}"
    requests.put(url, body, headers=headers, timeout=10).raise_for_status()
    return {"mediaType": media_type, "digest": digest(body), "size": len(body)}


def put_blob(repository: str, data: bytes) -> dict[str, Any]:
    where = requests.post(f"{repository}/blobs/uploads/", timeout=10).headers["Location"]
    url = f"{where}&{urlencode({'digest': digest(data)})}"
    requests.put(url, data, headers={"Content-Type": "application/octet-stream"}, timeout=10).raise_for_status()
    return {"digest": digest(data), "size": len(data)}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_the_twin_holds_all_where_it_was_pushed_plainly(judge: Judge, push: Push) -> None:
    verdicts = judge(["IMG"], image=push(DOCKER_MANIFEST, []))
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_what_was_never_pushed_is_said_to_need_a_push(judge: Judge) -> None:
    verdicts = judge(neighbours("IMG-01"))
    assert (verdicts.failed, verdicts.rest.keys()) == (set(), set(PUSHED))
    assert "push it" in verdicts.says("IMG-01")


@pytest.mark.parametrize("fault", PUSHED)
def test_what_the_registry_has_is_seen_and_nothing_else(fault: str, judge: Judge, push: Push) -> None:
    assert judge(neighbours(fault), image=push(*PUSHED[fault])).failed == {fault}


def test_a_docker_list_is_said_to_be_unsure(judge: Judge, push: Push) -> None:
    verdicts = judge(["IMG-01", "IMG-02", "IMG-03"], image=push(DOCKER_LIST, [(DOCKER_MANIFEST, HERE)]))
    assert verdicts.failed == set()
    assert "not known" in verdicts.says("IMG-01")


def test_a_name_that_the_registry_does_not_have_is_said_to_need_a_push(
    judge: Judge,
    twin_image: str,
    registry: str,
) -> None:
    name = f"{registry}/conformance-twin:never"
    docker("tag", twin_image, name)
    try:
        assert "push it" in judge(["IMG-01"], image=name).rest["IMG-01"]
    finally:
        docker("rmi", name)


def test_another_architecture_is_seen_and_nothing_else(judge: Judge) -> None:
    assert judge(neighbours("IMG-04"), instance_type=OTHER_TYPE).failed == {"IMG-04"}


@pytest.mark.parametrize("fault", LINES)
def test_a_faulty_image_is_seen_and_nothing_else(fault: str, judge: Judge, twin_image: str) -> None:
    assert judge(neighbours(fault), image=derived(twin_image, LINES[fault])).failed == {fault}


def test_a_size_above_serverless_is_seen_and_nothing_else(twin_image: str) -> None:
    assert with_attributes(twin_image, Size=11 * 10**9).failed == {"IMG-11"}


@pytest.mark.parametrize(
    ("media_type", "failed", "unknown"),
    [
        (DOCKER_MANIFEST, set(), set()),
        (OCI_MANIFEST, {"IMG-02"}, set()),
        (OCI_INDEX, {"IMG-01"}, {"IMG-02", "IMG-03"}),
    ],
)
def test_an_engine_that_knows_the_manifest_is_believed(
    media_type: str, failed: set[str], unknown: set[str], twin_image: str
) -> None:
    verdicts = with_attributes(twin_image, Descriptor={"mediaType": media_type})
    assert (verdicts.failed, verdicts.ids(Outcome.NOT_TESTED)) == (failed, unknown)


def with_attributes(image: str, **attributes: Any) -> Verdicts:
    """IMG on an image of which the engine says something else."""
    subject = Image(image, Setup())
    subject.attributes = {**subject.attributes, **attributes}
    return Verdicts(run(subject, Options(**DEFAULTS), select(neighbours("IMG-01"))))


def test_the_environment_of_the_model_counts_too(judge: Judge, tmp_path: Path) -> None:
    """The 32 KB are for the image's own variables together with those of CreateModel."""
    model = {"PrimaryContainer": {"Environment": {f"LONG_{number}": "x" * 1024 for number in range(32)}}}
    (tmp_path / "CreateModel.json").write_text(json.dumps(model))
    assert judge(neighbours("IMG-15"), requests_dir=tmp_path).failed == {"IMG-15"}
