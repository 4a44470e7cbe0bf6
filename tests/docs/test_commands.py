"""Every ```console block of the pages is typed, and must print what it shows; the words of ```sh blocks must exist.

tests/image types those of the README's section Deploy.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_test.conformance.ports import free_port
from tests.dockerfile import stage
from tests.docs.commands import KEPT, pattern_of, settled, steps
from tests.docs.pages import PAGES, README, ROOT, page_name, section, sections
from tests.system.server import Server

BLOCKS = [
    pytest.param(block, id=f"{page_name(page)}-{each.title}")
    for page in PAGES
    for each in sections(page)
    for block in each.blocks("console")
    if (page, each.title) != (README, "Deploy")
]
LIMIT_S = 300
MAKES_OWN = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # under `make test` a make of the page would say that it is a child


SERVES = re.compile(r"((?:[A-Z_]+=\S+ )*)(?:make serve|\.venv/bin/python -m container serve)((?: [A-Z_]+=\S+)*)")
OF_THE_SHELL = ("curl", "printf", "mkdir", "cp")
TRAINED = "local_test/test_dir/model"


class Terminal:
    """Where the commands of one block are typed. What a command leaves in its folder, the next one finds."""

    def __init__(self, folder: Path, sample: Server, trained: Path, serve: Callable[..., Server]) -> None:
        self.folder = folder
        self.sample = sample
        self.trained = trained
        self.serve = serve
        self.port = 0
        """Of what the block serves."""
        self.variables: dict[str, str] = {}
        self.pipeline: subprocess.Popen[str] | None = None

    def type(self, command: str) -> str:
        """What the command prints. In place of make serve, later commands ask a server of the tests."""
        if found := SERVES.fullmatch(command):
            return self._start(*(dict(pair.split("=") for pair in part.split()) for part in found.groups()))
        if found := KEPT.fullmatch(command):
            self.variables[found[1]] = self._shell(found[2]).strip()
            return ""
        word, *arguments = shlex.split(command)
        if word in OF_THE_SHELL:
            return self._shell(command)
        if command == "make demo":
            return self._run(self._make_demo())
        if command.startswith(".venv/bin/python -m local_test.pipeline "):
            return self._start_pipeline(arguments)
        if command.startswith(".venv/bin/python -m pip install "):
            assert arguments[-1] in (ROOT / "requirements-dev.txt").read_text().split(), "the tests run with another"
            return ""
        assert word in (".venv/bin/python", "local_test/predict.sh"), f"no way to run {command}: write one here"
        program = sys.executable if word == ".venv/bin/python" else str(ROOT / word)
        return self._run([program, *(str(ROOT / each) if (ROOT / each).is_file() else each for each in arguments)])

    def _start(self, environment: dict[str, str], variables: dict[str, str]) -> str:
        server = self.sample
        if environment or variables:
            model_dir = self._model_dir(variables["MODEL_DIR"]) if variables else self.trained
            if base_dir := environment.pop("SAGEMAKER_BASE_DIR", ""):
                environment["SAGEMAKER_BASE_DIR"] = str(self.folder / base_dir)
            server = self.serve(predictor=(ROOT / "predictor.py").read_text(), model_dir=model_dir, env=environment)
            server.wait_ready(60)
        self.port = server.port
        return ""

    def _model_dir(self, name: str) -> Path:
        """One of ours, or one that the block has made."""
        return ROOT / name if (ROOT / name).is_dir() else self.folder / name

    def _start_pipeline(self, arguments: list[str]) -> str:
        """Until it is ready; on a port of its own."""
        self.port = free_port()
        command = [sys.executable, *arguments, "--port", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
        self.pipeline = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.pipeline.stdout is not None
        assert any("ready at" in line for line in self.pipeline.stdout), "it ended before it was ready"
        return ""

    def close(self) -> None:
        if self.pipeline is not None:
            self.pipeline.terminate()
            self.pipeline.communicate(timeout=60)

    def _shell(self, command: str) -> str:
        """A line of bash, on this block's server."""
        ours = {"localhost:8080": f"localhost:{self.port}", TRAINED: str(self.trained)}
        ours["local_test/predict.sh"] = str(ROOT / "local_test" / "predict.sh")
        for shown, used in ours.items():
            command = command.replace(shown, used)
        return self._run(["bash", "-c", command])

    def _make_demo(self) -> list[str]:
        """In a copy, since it trains into local_test; with this environment's packages, since they are installed."""
        stage(self.folder)
        for name in ("local_test", "Makefile"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, self.folder / name)
        return ["make", "demo", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/runtime"]

    def _run(self, command: list[str]) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in MAKES_OWN}
        environment.update(self.variables, PYTHONPATH=str(ROOT))
        if self.port:
            environment["PORT"] = str(self.port)
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path, sample: Server, sample_dir: Path, serve: Callable[..., Server]) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, sample, sample_dir, serve)
    yield opened
    opened.close()


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_commands_prints_what_it_shows(terminal: Terminal, block: str) -> None:
    assert steps(block)
    for command, shown in steps(block):
        printed = terminal.type(command)
        assert pattern_of(shown).fullmatch(settled(printed)), f"$ {command}\n{printed}"


def test_the_lines_of_predictor_py_are_the_shipped_ones() -> None:
    (lines,) = sections(README)[0].blocks("python")
    assert lines in (ROOT / "predictor.py").read_text()


def test_the_readme_names_the_command_that_runs_all_tests() -> None:
    assert "make test" in section(README, "Edit your two files").names()


def test_scripts_that_need_docker_have_the_options_that_are_shown() -> None:
    """tests/image runs them."""
    (block,) = section(README, "With Docker").blocks("sh")
    for command in block.splitlines():
        script, *arguments = shlex.split(command, comments=True)
        if script != "make":
            usage = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
            assert [each for each in arguments if each.startswith("--") and each not in usage] == []
