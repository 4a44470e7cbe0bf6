"""Every mode of deploy/ by its command line: up, an answer from real containers, an update, an answer anew, down.

Real-time is test_deploy_end_to_end.py's. AWS is the double; its host runs the image of this tree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy import flags
from deploy.__main__ import main
from deploy.aws import Aws
from deploy.packing import archive
from deploy.packing.members import members
from tests.deploy.configs import ROLE
from tests.deploy.double import Double
from tests.deploy.double.hosting import pings
from tests.deploy.double.objects import read, store, write
from tests.deploy.double.server import reset
from tests.deploy.double.wire import post
from tests.deploy.environment import REGION, closed
from tests.deploy.loopback import guard
from tests.image.container import docker
from tests.image.hosted import running
from tests.system.client import wait_until

Deploy = Callable[..., Any]

IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/sagemaker-serving@sha256:{'a' * 64}"
"""The host runs the tree's in its place: a push is the end-to-end test's."""
ROW = "1,2"
SAYS = """
def model_fn(model_dir):
    return "{word}"

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    return f"{{model}}({{text}})", "text/csv"
"""
FIRST, SECOND = "first(1,2)", "second(1,2)"
FILE = f"""
role = "{ROLE}"
image = "{IMAGE}"
environment.SAGEMAKER_MODEL_SERVER_WORKERS = 1
"""
TWO = """
[[containers]]
hostname = "one"
artifact = "s3://bucket/many/first.tar.gz"
[[containers]]
hostname = "two"
artifact = "s3://bucket/many/second.tar.gz"
"""


PARTS = """
[[components]]
name = "one"
cpus = 1
artifact = "s3://bucket/many/first.tar.gz"
[[components]]
name = "two"
cpus = 1
artifact = "s3://bucket/many/second.tar.gz"
"""


@dataclass(frozen=True)
class Mode:
    """What deploy.toml says of it beyond FILE, the flags of its update, those of each invoke, and the answers."""

    text: str = 'artifact = "s3://bucket/many/first.tar.gz"\n'
    update: tuple[str, ...] = ("--artifact", "s3://bucket/many/second.tar.gz")
    invokes: tuple[tuple[str, ...], ...] = ((),)
    answers: tuple[str, ...] = (FIRST,)
    afterwards: tuple[str, ...] = (SECOND,)
    mode: str = ""
    """Where the name is none of deploy.toml."""


BIGGER = ("--count", "2")
MODES = {
    "serverless": Mode(),
    "async": Mode(Mode.text + 'async.output = "s3://bucket/answers/"\n'),
    "batch": Mode(
        Mode.text + 'batch = {input = "s3://bucket/in/", output = "s3://bucket/out/", content_type = "text/csv"}\n',
        invokes=(),
    ),
    "multi-model": Mode(
        'artifact = "s3://bucket/many/"\n',
        BIGGER,
        (("--model", "first.tar.gz"), ("--model", "second.tar.gz")),
        (FIRST, SECOND),
        (FIRST, SECOND),
    ),
    "multi-container": Mode(
        TWO, BIGGER, (("--container", "one"), ("--container", "two")), (FIRST, SECOND), (FIRST, SECOND)
    ),
    "components": Mode(
        PARTS,
        ("--set", "environment.ROUND=2"),
        (("--component", "one"), ("--component", "two")),
        (FIRST, SECOND),
        (FIRST, SECOND),
        "realtime",
    ),
    "files": Mode(
        'artifact = "s3://bucket/files/first/"\n', ("--artifact", "s3://bucket/files/second/"), mode="realtime"
    ),
    "pipeline": Mode(TWO, BIGGER, ((),), ("second(first(1,2))",), ("second(first(1,2))",)),
}


@pytest.fixture(scope="module")
def cloud(one_double: Double, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """The double with two models in its S3, a file of rows, and a host."""
    reset(one_double)
    store().create_bucket("bucket", REGION)
    folder = tmp_path_factory.mktemp("modes")
    for word in ("first", "second"):
        code = folder / word / "code"
        code.mkdir(parents=True)
        (code / "inference.py").write_text(SAYS.format(word=word))
        archive.write(members(folder / word), folder / f"{word}.tar.gz")
        write(f"s3://bucket/many/{word}.tar.gz", (folder / f"{word}.tar.gz").read_bytes())
        write(f"s3://bucket/files/{word}/code/inference.py", SAYS.format(word=word).encode())
    write("s3://bucket/in/rows.csv", ROW.encode())
    one_double.delays.ping_s = 120
    with running(tmp_path_factory.mktemp("host"), image) as one_double.host:
        yield one_double
    assert one_double.broken == []


@pytest.fixture(scope="module")
def clients() -> Aws:
    """Made once, for all verbs of all modes."""
    return Aws(REGION)


@pytest.fixture
def deploy(
    cloud: Double, clients: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Deploy]:
    """deploy("up", "--count", "2"): the command line in this process and the test's folder; its answer as JSON."""
    for name, value in closed(cloud.url, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flags, "POLL_S", 0.1)
    make = Aws._client
    monkeypatch.setattr(Aws, "_client", lambda _, service: make(clients, service))

    def run(*words: str) -> Any:
        capsys.readouterr()
        code = main([*words, "--output", "json"])
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out)

    guard.enforce()
    yield run
    guard.on = False


@pytest.mark.parametrize("name", MODES)
def test_mode_is_up_answers_is_updated_answers_anew_and_is_down(name: str, deploy: Deploy, cloud: Double) -> None:
    mode = MODES[name]
    Path("deploy.toml").write_text(f'name = "{name}"\nmode = "{mode.mode or name}"\n{FILE}{mode.text}')
    Path("row.csv").write_text(ROW)
    for flags_, answers in (((), mode.answers), (mode.update, mode.afterwards)):
        assert deploy("up", *flags_)["done"]
        assert answered(deploy, mode) == answers
    deploy("down", "--yes")
    assert [each for each in cloud.shelf.left() if not each.startswith("TransformJob/")] == []


@pytest.fixture
def image_with_model(image: str, tmp_path: Path) -> Iterator[str]:
    """A model that needs no artifact."""
    (tmp_path / "predictor.py").write_text(SAYS.format(word="first"))
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nCOPY predictor.py /opt/program/\n")
    built = docker("build", "-q", tmp_path).strip()
    yield built
    docker("rmi", built)


def test_model_that_lies_in_the_image_is_served_without_an_artifact(image_with_model: str, tmp_path: Path) -> None:
    with running(tmp_path / "host") as host:
        (place,) = host({"PrimaryContainer": {"Image": image_with_model}})
        wait_until(lambda: pings(place.url), 60, "/ping is 200")
        assert post(place.url, "/invocations", ROW.encode(), {"Content-Type": "text/csv"}).body.decode() == FIRST


def answered(deploy: Deploy, mode: Mode) -> tuple[str, ...]:
    """What each `invoke` prints; what a batch job wrote."""
    if not mode.invokes:
        return (read("s3://bucket/out/rows.csv.out").decode(),)
    return tuple(deploy("invoke", "row.csv", *words)["body"] for words in mode.invokes)
