"""build_and_push.sh for real: docker, both AWS CLIs, a registry with ECR's login, and the double of AWS behind them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.names import MANAGED_BY
from tests.aws_cli import VERSIONS, with_aws
from tests.deploy.double import Double, Fault
from tests.deploy.double.neighbours import PUSHED
from tests.deploy.double.server import reset
from tests.deploy.environment import REGION, closed
from tests.dockerfile import ROOT
from tests.image.container import buildkit_environment, docker
from tests.registry import SCHEMA_2, architecture, like_ecr, manifest
from tests.system.client import wait_until

NAME = "sagemaker-small"
SMALL = """FROM scratch
ARG REVISION=""
ARG SOURCE=""
LABEL revision="${REVISION}"
COPY nginx.conf /
"""


@pytest.fixture(scope="module", params=VERSIONS, ids="version_{}".format)
def version(request: pytest.FixtureRequest) -> int:
    """Of the AWS CLI."""
    return int(request.param)


@pytest.fixture(scope="module")
def registry(version: int, one_double: Double, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ECR's place for images, one for each CLI; its place for calls, one_double, is as new."""
    reset(one_double)
    with like_ecr(tmp_path_factory.mktemp("registry"), one_double.url + PUSHED) as host:
        one_double.registry = host
        yield host


class Pusher:
    """Runs build_and_push.sh on a small image, with this version of the AWS CLI."""

    def __init__(self, folder: Path, url: str, registry: str, version: int) -> None:
        self.dockerfile = folder / "Dockerfile"
        self.dockerfile.write_text(SMALL)
        self.docker_config = folder / "docker"
        self.env = with_aws(version, folder, closed(url, folder, buildkit_environment()) | {"ECR_REGISTRY": registry})

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "build_and_push.sh"), *arguments, NAME, "--", "-f", str(self.dockerfile)]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def pusher(
    version: int, one_double: Double, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pusher]:
    yield Pusher(tmp_path_factory.mktemp("pusher"), one_double.url, registry, version)
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if left := [each for each in listed if each.startswith((f"{registry}/{NAME}:", f"{NAME}:"))]:
        docker("rmi", *left)


@pytest.fixture(scope="module")
def pushed(pusher: Pusher) -> str:
    """What the first run says: the image by digest."""
    done = pusher.run()
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def ecr(one_double: Double, pushed: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    return boto3.Session(**keys).client("ecr", endpoint_url=one_double.url)


def digest_of(reference: str) -> str:
    return reference.partition("@")[2]


def test_pushed_image_can_be_pulled_by_the_digest_on_stdout(
    pushed: str, pusher: Pusher, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(pusher.docker_config))
    assert pushed.startswith(f"{registry}/{NAME}@sha256:")
    docker("pull", pushed)
    docker("rmi", pushed)


def test_img_01_to_03_pushed_manifest_is_a_plain_docker_one(pushed: str, registry: str) -> None:
    """CreateModel refuses an OCI index or manifest, and attestations would make it an index."""
    content_type, content = manifest(registry, NAME, digest_of(pushed))
    assert (content_type, content["mediaType"]) == (SCHEMA_2, SCHEMA_2)


def test_repository_is_scanned_on_push_and_has_a_lifecycle_rule_and_our_tag(ecr: Any) -> None:
    (repository,) = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert {each["Key"]: each["Value"] for each in tags} == dict([MANAGED_BY])
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])
    assert [rule["selection"]["tagStatus"] for rule in policy["rules"]] == ["untagged"]


def test_image_has_one_tag_of_its_own_and_none_is_latest(ecr: Any, pushed: str) -> None:
    images = wait_until(lambda: ecr.describe_images(repositoryName=NAME)["imageDetails"], 5, "ECR hears of the push")
    (tag,) = next(each["imageTags"] for each in images if each["imageDigest"] == digest_of(pushed))
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True)
    assert tag.startswith(commit[:12])


def test_nothing_but_the_login_is_written_for_docker(pushed: str, pusher: Pusher, registry: str) -> None:
    """BuildKit's client adds a number of its own."""
    assert {path.name for path in pusher.docker_config.rglob("*")} - {".buildNodeID"} == {"config.json"}
    written = json.loads((pusher.docker_config / "config.json").read_text())
    assert (written.keys(), written["auths"].keys()) == ({"auths"}, {registry})


def test_second_run_finds_all_there_even_where_another_was_quicker(
    pushed: str, pusher: Pusher, one_double: Double
) -> None:
    """The first look says that there is no repository: another run makes it meanwhile."""
    one_double.calls.clear()
    one_double.faults.on("DescribeRepositories", Fault("RepositoryNotFoundException", "does not exist"))
    done = pusher.run()
    assert (done.returncode, done.stdout.strip()) == (0, pushed), done.stderr
    assert [call.operation for call in one_double.calls] == [
        "DescribeRepositories",
        "CreateRepository",
        "DescribeRepositories",
        "GetLifecyclePolicy",
        "GetAuthorizationToken",
    ]


def test_what_our_repository_lacks_is_done_by_the_next_run(pushed: str, pusher: Pusher, ecr: Any) -> None:
    ecr.delete_lifecycle_policy(repositoryName=NAME)
    ecr.put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": False})
    done = pusher.run()
    assert (done.returncode, "note" in done.stderr) == (0, False), done.stderr
    test_repository_is_scanned_on_push_and_has_a_lifecycle_rule_and_our_tag(ecr)


def test_img_04_graviton_type_gives_an_arm64_image(pushed: str, pusher: Pusher, registry: str) -> None:
    if buildkit_environment()["DOCKER_BUILDKIT"] == "0":
        pytest.skip("docker's legacy builder builds for its own platform only")
    done = pusher.run("--instance-type", "ml.c7g.large")
    assert done.returncode == 0, done.stderr
    found = [architecture(registry, NAME, digest_of(each)) for each in (pushed, done.stdout.strip())]
    assert found == ["amd64", "arm64"]
