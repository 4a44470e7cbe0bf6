"""What an artifact's requirements.txt asks for: built in by `make image MODEL=...`, or installed at the start.

One image is built for all of them. Both ways hold in the narrowest of all places: read-only, any uid, no network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dockerfile import ROOT
from tests.image.conftest import open_to_all
from tests.image.container import Container, buildkit_environment, docker
from tests.wheels import WORD, artifact

Run = Callable[..., Container]
TAG = "sagemaker-serving-with-requirements:test"
JSON = "application/json"


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_to_all(artifact(tmp_path_factory.mktemp("artifact") / "model"))


@pytest.fixture(scope="module")
def built(image: str, model_dir: Path) -> Iterator[str]:
    """The image that `make image MODEL=model.tar.gz` builds on top of the one under test."""
    with tarfile.open(model_dir.parent / "model.tar.gz", "w:gz") as archive:
        archive.add(model_dir, ".")
    words = [f"IMAGE={TAG}", f"MODEL={model_dir.parent / 'model.tar.gz'}", f"PYTHON={sys.executable}"]
    env = {**buildkit_environment(), "MAKEFLAGS": ""}
    done = subprocess.run(["make", "image", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield TAG
    subprocess.run(["docker", "rmi", TAG], capture_output=True, check=False)


def test_an_image_built_for_an_artifact_serves_it_without_a_network(built: str, model_dir: Path) -> None:
    """By its own entry point and CMD, as the image below it; the packages are found without an installation."""
    container = Container(built, model_dir=model_dir, command=(), network="none")
    try:
        container.wait_ready()
        assert container.inside("/invocations", b"[1]", JSON) == (200, f'"{WORD}"'.encode())
        (told,) = container.log_events("requirements_met")
        assert told["installed_for_it"] is True
        assert container.log_events("installing") == []
        record = json.loads(container.execute("cat", "/opt/packages/requirements.json"))
        assert record["packages"] == ["greeting==1.0"]
        assert container.execute("python", "-c", "import greeting; print(greeting.WORD)").strip() == WORD
    finally:
        container.close()


def test_only_what_was_asked_for_is_added_to_the_image(built: str) -> None:
    """One layer: neither the model, nor its script, nor the wheels that it was installed from."""
    sizes = docker("history", "--format", "{{.Size}}", built).split()
    assert next(size for size in sizes if size != "0B").endswith("kB")
    find = ("find", "/", "-xdev", "-name", "greeting*.whl", "-o", "-name", "inference.py")
    assert docker("run", "--rm", "--entrypoint", find[0], built, *find[1:]) == ""


def test_an_artifact_of_other_requirements_than_the_images_is_told(built: str, tmp_path: Path) -> None:
    other = open_to_all(artifact(tmp_path / "model", "greeting==1.0\nno-such-package\n"))
    container = Container(built, model_dir=other, network="none")
    try:
        container.wait_ready()  # what its script imports is there
        (told,) = container.log_events("requirements_not_installed")
        assert told["missing"] == ["no-such-package: not installed"]
        assert "built for another requirements.txt" in told["detail"]
    finally:
        container.close()


def test_wheels_of_the_artifact_are_installed_at_the_start_without_a_network(run: Run, model_dir: Path) -> None:
    container = run(model_dir=model_dir, network="none", env={"SERVING_INSTALL_REQUIREMENTS": "true"})
    container.wait_ready()
    assert container.inside("/invocations", b"[1]", JSON) == (200, f'"{WORD}"'.encode())
    (told,) = container.log_events("requirements_installed")
    assert told["packages"] == ["greeting==1.0"]


def test_an_index_that_cannot_be_reached_is_told_with_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "requirements.txt").write_text("greeting==1.0\n")
    env = {"SERVING_INSTALL_REQUIREMENTS": "true"}
    container = run(model_dir=open_to_all(tmp_path), network="none", env=env, expect=("startup_failed",))
    assert container.wait_exit(60) == 1
    last = json.loads(container.log().splitlines()[-1])
    assert (last["event"], last["phase"]) == ("startup_failed", "requirements")
    assert "make image MODEL=model.tar.gz" in last["detail"]
