"""From this checkout to an endpoint that answers, through all that follows, and back to nothing: by the real programs.

The README's commands are typed as a user types them. AWS is the double, ECR a registry on loopback; the endpoint's
containers are real ones, started from the image that was pushed and the artifact that was uploaded.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws_cli import with_aws
from tests.deploy.double import ACCOUNT, Double
from tests.deploy.double.neighbours import PUSHED
from tests.deploy.double.objects import store
from tests.deploy.double.server import reset
from tests.deploy.environment import REGION, closed
from tests.dockerfile import ROOT
from tests.docs.commands import KEPT, pattern_of, settled, steps
from tests.docs.pages import README, section
from tests.image.container import buildkit_environment, docker
from tests.image.hosted import running
from tests.registry import SCHEMA_2, like_ecr, manifest

NAME = "iris"
SPECIES = ["setosa", "versicolor", "virginica"]
IN_CAPITALS = """
def predict_fn(data, model):
    return [str(name).upper() for name in model.predict(data)]
"""
SOON = "--poll 0.2"

# The image of this tree, without the label by which the script knows a base image that is for tests only.
DOCKERFILE = """FROM {image}
LABEL stand-in=""
"""


class User:
    """Somebody with a checkout, docker and the AWS CLI, in a folder of their own."""

    def __init__(self, folder: Path, url: str, registry: str, image: str, model_dir: Path) -> None:
        self.folder = folder
        (folder / "Dockerfile").write_text(DOCKERFILE.format(image=image))
        env = with_aws(1, folder, closed(url, folder, buildkit_environment()))
        self.env = {**env, "PYTHONPATH": f"{ROOT}:{env['PYTHONPATH']}", "ECR_REGISTRY": registry}
        self.places = {
            "./build_and_push.sh": f"{ROOT}/build_and_push.sh",
            ".venv/bin/python": sys.executable,
            "local_test/test_dir/model": str(model_dir),
            "local_test/payloads": f"{ROOT}/local_test/payloads",
        }

    def type(self, command: str) -> str:
        """What the terminal shows of a line of the README. What $(...) keeps, later lines find."""
        kept = KEPT.fullmatch(command)
        line = kept[2] if kept else command
        for theirs, ours in self.places.items():
            line = line.replace(theirs, ours)
        more = f"-- -f {self.folder}/Dockerfile" if "build_and_push" in line else ""
        done = self.run(f"{line} {more}")
        if kept:
            self.env[kept[1]] = done.stdout.strip()
        return done.stderr if kept else done.stderr + done.stdout

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """In bash; deployment asks AWS more often than it does by itself."""
        soon = SOON if re.search(r"deploy (up|down|rollback|scale)\b", line) else ""
        done = subprocess.run(
            ["bash", "-c", f"{line} {soon}"], cwd=self.folder, env=self.env, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done

    def deploy(self, words: str) -> str:
        return self.run(f"{sys.executable} -m deploy {words}").stdout.strip()

    def answer(self) -> Any:
        return json.loads(self.deploy(f"invoke {ROOT}/local_test/payloads/iris.csv"))


@pytest.fixture
def user(one_double: Double, image: str, model_dir: Path, tmp_path: Path) -> Iterator[User]:
    reset(one_double)
    folders = [tmp_path / name for name in ("registry", "user", "host")]
    for folder in folders:
        folder.mkdir()
    with like_ecr(folders[0], one_double.url + PUSHED) as registry, running(folders[2]) as host:
        one_double.registry, one_double.host = registry, host
        one_double.delays.ping_s = 120
        store().create_bucket(f"sagemaker-{REGION}-{ACCOUNT}", REGION)
        yield User(folders[1], one_double.url, registry, image, model_dir)
    pushed = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{registry}/sagemaker-serving").split()
    docker("rmi", *pushed, "sagemaker-serving:build")
    assert one_double.broken == []


def test_from_a_checkout_to_an_endpoint_and_back_to_nothing(user: User, one_double: Double, model_dir: Path) -> None:
    """The README's commands, and between the fifth and the last what comes in the life of an endpoint."""
    (block,) = section(README, "Deploy").blocks("console")
    *five, (down, removed) = steps(block)
    for command, shown in five:
        assert_shows(user.type(command), shown)
    assert user.answer() == SPECIES

    changes = list(one_double.changes)
    assert user.deploy("up") == f"{NAME}: nothing to do"
    assert one_double.changes == changes

    newer = user.deploy(f"package {in_capitals(model_dir, user.folder)} --name {NAME}")
    user.deploy(f"up --artifact {newer}")
    assert user.answer() == [each.upper() for each in SPECIES]
    user.deploy("rollback")
    assert user.answer() == SPECIES
    user.deploy("scale 3")
    assert '"CurrentInstanceCount": 3' in user.run(f"aws sagemaker describe-endpoint --endpoint-name {NAME}").stdout

    host, _, digest = user.env["IMAGE"].partition("/sagemaker-serving@")
    assert manifest(host, "sagemaker-serving", digest)[0] == SCHEMA_2
    assert_shows(user.type(down), removed)
    assert one_double.shelf.left() == []


def assert_shows(printed: str, shown: list[str]) -> None:
    """Hashes and minutes are others each time."""
    found = settled(anonymous(printed))
    assert pattern_of(anonymous("\n".join(shown)).splitlines()).fullmatch(found), printed


def anonymous(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{8,64}\b", "HASH", text)
    return re.sub(r"\b\d+:\d\d\b", "M:SS", text)


def in_capitals(model_dir: Path, folder: Path) -> Path:
    """The same model, whose script answers in capitals."""
    other = Path(shutil.copytree(model_dir, folder / "capitals"))
    (other / "code").mkdir()
    (other / "code" / "inference.py").write_text(IN_CAPITALS)
    return other
