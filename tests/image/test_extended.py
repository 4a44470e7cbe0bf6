"""examples/extend_managed_image on top of an image: here ours, since AWS's own need an account to be pulled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.derived import built
from tests.dockerfile import ROOT
from tests.image.container import Container, docker

FOLDER = ROOT / "examples" / "extend_managed_image"


@pytest.fixture(scope="module")
def extended(image: str) -> str:
    return built("sagemaker-extended-test", FOLDER, BASE_IMAGE=image, PIP="pip --python /opt/venv/bin/python")


@pytest.fixture
def container(extended: str, model_dir: Path) -> Iterator[Container]:
    found = Container(extended, model_dir=model_dir)
    try:
        yield found
    finally:
        found.close()


def test_its_inference_py_serves_an_artifact_without_code(container: Container) -> None:
    """Probabilities of three flowers for each of two rows."""
    container.wait_ready()
    reply = container.invoke(b"5.1,3.5,1.4,0.2\n6.3,2.7,4.9,1.8\n", "text/csv")
    assert reply.status == 200, reply
    assert [(len(row), round(sum(row), 6)) for row in reply.json()] == [(3, 1.0), (3, 1.0)]


def test_entry_point_and_labels_stay_the_bases(image: str, extended: str) -> None:
    def kept(name: str) -> dict[str, object]:
        config = json.loads(docker("image", "inspect", name))[0]["Config"]
        return {each: config[each] for each in ("Entrypoint", "Cmd", "Labels", "WorkingDir", "ExposedPorts")}

    assert kept(extended) == kept(image)
