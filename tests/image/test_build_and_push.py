"""build_and_push.sh with the real docker and a real registry on loopback; and what the registry then has."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.dockerfile import ROOT
from tests.image.container import buildkit_environment, docker
from tests.system.client import wait_until
from tests.system.server import free_port

SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
ANY = f"{SCHEMA_2}, application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
CONFIG = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
SMALL = """FROM scratch
ARG REVISION=""
ARG SOURCE=""
LABEL revision="${REVISION}"
COPY nginx.conf /
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of an empty registry, which docker takes without TLS on loopback."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
    folder, host = tmp_path_factory.mktemp("registry"), f"127.0.0.1:{free_port()}"
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder / "images", port=host.split(":")[1]))
    with subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: answers(f"http://{host}/v2/"), 10, "the registry answers")
        yield host
        process.terminate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


def manifest(registry: str, name: str, reference: str) -> tuple[str, Any]:
    """Media type and content of what the registry holds, when any type would do."""
    reply = requests.get(f"http://{registry}/v2/{name}/manifests/{reference}", headers={"Accept": ANY}, timeout=10)
    return reply.headers["Content-Type"], reply.json()


@pytest.fixture
def push(registry: str, tmp_path: Path) -> Iterator[Any]:
    """push(ARGUMENT...) runs build_and_push.sh on a small image, with the stand-in `aws` and the real docker."""
    (tmp_path / "Dockerfile").write_text(SMALL)
    (tmp_path / "region").write_text("eu-central-1\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aws").symlink_to(ROOT / "tests" / "programs" / "aws")
    env = {
        **buildkit_environment(),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DOCKER_CONFIG": str(tmp_path / "docker"),  # where the login is kept
        "FAKE_AWS": str(tmp_path),
        "ECR_REGISTRY": registry,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [ROOT / "build_and_push.sh", *arguments, "--", "-f", str(tmp_path / "Dockerfile")]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    yield run
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    left = [image for image in listed if image.startswith((f"{registry}/sagemaker-small:", "sagemaker-small:"))]
    if left:
        docker("rmi", *left)


def test_pushed_image_can_be_pulled_by_the_digest_on_stdout(push: Any, registry: str) -> None:
    done = push("sagemaker-small")
    assert done.returncode == 0, done.stderr
    reference = done.stdout.strip()
    assert reference.startswith(f"{registry}/sagemaker-small@sha256:")
    docker("pull", reference)
    docker("rmi", reference)


def test_img_01_to_03_pushed_manifest_is_a_plain_docker_one(push: Any, registry: str) -> None:
    """CreateModel refuses an OCI index or manifest, and attestations would make it an index."""
    digest = push("sagemaker-small").stdout.strip().partition("@")[2]
    content_type, content = manifest(registry, "sagemaker-small", digest)
    assert (content_type, content["mediaType"]) == (SCHEMA_2, SCHEMA_2)


def test_repository_is_created_and_login_is_done(push: Any, tmp_path: Path) -> None:
    push("sagemaker-small")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[1] for call in calls if call.startswith("ecr")] == [
        "describe-repositories",
        "create-repository",
        "get-login-password",
    ]


def test_graviton_type_gives_an_arm64_image(push: Any, registry: str) -> None:
    if buildkit_environment()["DOCKER_BUILDKIT"] == "0":
        pytest.skip("docker's legacy builder builds for its own platform only")
    done = push("--instance-type", "ml.c7g.large", "sagemaker-small")
    assert done.returncode == 0, done.stderr
    digest = done.stdout.strip().partition("@")[2]
    config = manifest(registry, "sagemaker-small", digest)[1]["config"]["digest"]
    blob = requests.get(f"http://{registry}/v2/sagemaker-small/blobs/{config}", timeout=10)
    assert blob.json()["architecture"] == "arm64"


@pytest.mark.slow
def test_img_01_to_03_hold_for_the_image_itself(image: str, registry: str) -> None:
    target = f"{registry}/sagemaker-serving:test"
    docker("tag", image, target)
    try:
        docker("push", target, timeout_s=300)
    finally:
        docker("rmi", target)
    assert manifest(registry, "sagemaker-serving", "test")[0] == SCHEMA_2
