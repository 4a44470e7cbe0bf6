"""The image's file set, staged from the Dockerfile's COPY lines, is enough to serve; and holds no developer's tools.

The same promise that tests/image checks on the real image, on machines without a Docker engine.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dockerfile import ROOT, copied_files, copied_paths, labelled_for_websockets, stage
from tests.system.server import Server

USERS_FILES = ("predictor.py", "train", "wsgi.py", "nginx.conf", "serve")


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    stage(tmp_path / "program")
    return tmp_path / "program"


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in the folder, with nothing of the repository on sys.path."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)


def test_dockerfile_names_each_path_it_copies() -> None:
    """`COPY . .` would take whatever lies around, credentials included."""
    assert [path for path in copied_paths() if path.strip("./") == "" or "*" in path] == []
    assert {*USERS_FILES, "container/", "requirements.lock"} == set(copied_paths())


def test_dockerignore_lets_through_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {line[1:] for line in rules if line.startswith("!")} == set(copied_paths())


def test_img_14_the_label_for_websockets_is_there_if_predictor_py_has_a_stream_fn() -> None:
    """Else the platform lets no client in: take the comment off the last line of the Dockerfile."""
    functions = {node.name for node in ast.parse((ROOT / "predictor.py").read_text()).body if hasattr(node, "name")}
    assert "stream_fn" not in functions or labelled_for_websockets()


def test_git_ignores_no_file_of_the_image() -> None:
    """It would be in your image, and missing in the one that CI builds from a clone."""
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard"]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ignored.returncode:
        pytest.skip("not a git clone")
    assert {str(path) for path in copied_files()} & set(ignored.stdout.splitlines()) == set()


@pytest.mark.parametrize("name", ["deploy", "tests", "local_test", "examples"])
def test_developer_tools_are_not_in_the_image(name: str, staged: Path) -> None:
    done = python(staged, f"import {name}")
    assert done.returncode == 1
    assert f"ModuleNotFoundError: No module named {name!r}" in done.stderr


def test_runtime_imports_from_the_staged_files_alone(staged: Path) -> None:
    done = python(staged, "import container.app, container.training, predictor; print(container.__file__)")
    assert (done.returncode, done.stdout.strip()) == (0, str(staged / "container" / "__init__.py")), done.stderr


def test_staged_files_train_serve_and_answer(staged: Path, tmp_path: Path) -> None:
    """The chain of the image, `train` then `serve`, with nothing else of the repository."""
    server = StagedServer(staged, tmp_path / "ml")
    try:
        server.train()
        server.start()
        server.wait_ready(60)
        reply = server.invoke(b"5.1,3.5,1.4,0.2\n", "text/csv")
        assert (reply.status, json.loads(reply.body)) == (200, ["setosa"])
    finally:
        server.close()


class StagedServer(Server):
    """A Server whose program folder is the staged one, and whose model it trains itself."""

    def __init__(self, staged: Path, base_dir: Path) -> None:
        self.staged, self.base_dir = staged, base_dir
        (base_dir / "model").mkdir(parents=True)
        (base_dir / "input").symlink_to(ROOT / "local_test" / "test_dir" / "input")
        super().__init__(env={"SAGEMAKER_BASE_DIR": str(base_dir)})

    def _stage(self, *_: object) -> None:
        self.gates.mkdir()
        shutil.move(self.staged, self.program_dir)

    def train(self) -> None:
        command = [sys.executable, "-m", "container", "train"]
        done = subprocess.run(command, cwd=self.program_dir, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
