"""The image, built once a session, a model that the image itself trained, and containers that are gone at the end.

Set IMAGE to test an image that exists already. Where no Docker engine answers, the tests are skipped; in CI they fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.dockerfile import ROOT, content_hash
from tests.image.container import HARDENED, Container, buildkit_environment, docker
from tests.missing import lacks

SAMPLE_INPUT = ROOT / "local_test" / "test_dir" / "input"
REPOSITORY = "sagemaker-serving-test"
BUILDING = Path(tempfile.gettempdir()) / f"{REPOSITORY}-{os.getuid()}.lock"
KEEP = 3  # images of former trees, newest first: another checkout may be using one now
OBEDIENT = Path(__file__).parent / "artifacts" / "obedient"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test below this folder needs the engine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skip, or fail in CI, where no Docker engine answers."""
    reason = "" if shutil.which("docker") else "docker is not installed"
    if not reason and subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        reason = "no Docker engine answers"
    if reason:
        lacks(reason)


@pytest.fixture(scope="session")
def image(engine: None) -> str:
    """The image of this tree; a second session finds it by the hash of what goes into it."""
    if given := os.environ.get("IMAGE"):
        return given
    tag = f"{REPOSITORY}:{content_hash()}"
    with BUILDING.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be building it now
        former = docker("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split()
        if tag not in former:
            command = ["docker", "build", "-t", tag, "."]
            env = buildkit_environment()
            done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            subprocess.run(["docker", "rmi", *former[KEEP:]], capture_output=True, check=False)
    return tag


@pytest.fixture(scope="session")
def start(image: str) -> Iterator[Callable[..., Container]]:
    """start(model_dir=PATH, env={...}, ...) -> Container that lives until the end of the session."""
    with ExitStack() as containers:

        def start_one(**more: Any) -> Container:
            container = Container(image, **more)
            containers.callback(container.close)
            return container

        yield start_one


@pytest.fixture
def run(image: str) -> Iterator[Callable[..., Container]]:
    """run(model_dir=PATH, env={...}, ...) -> Container that lives until the end of the test."""
    with ExitStack() as containers:

        def run_one(**more: Any) -> Container:
            container = Container(image, **more)
            containers.callback(container.close)
            return container

        yield run_one


@pytest.fixture(scope="session")
def trained(start: Callable[..., Container], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/ml after the image's own training on the sample, without a network."""
    base_dir = training_dir(tmp_path_factory.mktemp("trained"))
    container = start(command=("train",), network="none", options=training_options(base_dir))
    assert container.wait_exit(120) == 0, container.log()
    return base_dir


@pytest.fixture(scope="session")
def model_dir(trained: Path) -> Path:
    """The sample's scikit-learn model."""
    return trained / "model"


@pytest.fixture(scope="session")
def obedient_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact whose code/inference.py does what each request says: see artifacts/obedient."""
    return open_to_all(shutil.copytree(OBEDIENT, tmp_path_factory.mktemp("obedient") / "model"))


@pytest.fixture(scope="session")
def sample(start: Callable[..., Container], model_dir: Path) -> Container:
    """The sample's model, served for all tests that change nothing."""
    container = start(model_dir=model_dir)
    container.wait_ready()
    return container


@pytest.fixture(scope="session")
def obedient(start: Callable[..., Container], obedient_dir: Path) -> Container:
    """The obedient artifact, served for all tests that change nothing."""
    container = start(model_dir=obedient_dir)
    container.wait_ready()
    return container


def training_dir(folder: Path) -> Path:
    """A folder to be mounted as /opt/ml: the sample's input, empty model and output, writable for any uid."""
    base_dir = folder / "ml"
    shutil.copytree(SAMPLE_INPUT, base_dir / "input")
    for name in ("model", "output/data"):
        (base_dir / name).mkdir(parents=True)
    for path in (base_dir / "model", base_dir / "output", base_dir / "output" / "data"):
        path.chmod(0o777)
    return open_to_all(base_dir)


def training_options(base_dir: Path) -> tuple[str, ...]:
    """The input once more, read-only, as FastFile mode has it."""
    return (*HARDENED, "-v", f"{base_dir}:/opt/ml", "-v", f"{base_dir}/input:/opt/ml/input:ro")


def open_to_all(folder: Path) -> Path:
    """Readable for any uid, whatever the umask of the clone was."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    return folder
