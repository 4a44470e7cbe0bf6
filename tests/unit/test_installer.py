"""What pip is asked for and what comes of it, with real pip, real environments, and wheels made here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from container import installer
from container.errors import StartupError
from tests.wheels import wheel

CODE = "import json, sys, greeting, joblib, numpy; print(greeting.WORD, joblib.WORD, json.__name__, numpy.__version__)"


@pytest.fixture
def code_dir(tmp_path: Path) -> Path:
    wheel(tmp_path / "code" / "wheels", "greeting", {"greeting.py": "WORD = 'hello'\n"}, needs=["numpy"])
    return tmp_path / "code"


def install(code_dir: Path, requirements: str) -> tuple[Path, list[str]]:
    """The environment, and what pip said."""
    (code_dir / "requirements.txt").write_text(requirements)
    said: list[str] = []
    installer.install(code_dir, code_dir.parent / "into", said.append)
    return code_dir.parent / "into", said


def test_wheels_are_added_to_the_environment_that_runs(
    code_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is not installed again; another version wins, but not over the standard library; hashes hold."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens: with wheels nobody is asked
    wheel(code_dir / "wheels", "joblib", {"joblib.py": "WORD = 'ours'\n", "json.py": "raise ImportError\n"}, "0.1")
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (code_dir / "wheels").iterdir()}
    into, said = install(
        code_dir,
        f"greeting==1.0 --hash=sha256:{digests['greeting-1.0-py3-none-any.whl']}\n"
        f"joblib==0.1 --hash=sha256:{digests['joblib-0.1-py3-none-any.whl']}\n",
    )
    assert any("numpy" in line and "already satisfied" in line for line in said)
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run([into / "bin" / "python", "-c", CODE], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hello", "ours", "json", version("numpy")]

    told = vars(next(each for each in caplog.records if each.getMessage() == "requirements_installed"))
    assert told["packages"] == ["greeting==1.0", "joblib==0.1"]
    assert told["changed"] == [f"joblib {version('joblib')} -> 0.1"]
    record = json.loads((into / "requirements.json").read_text())
    assert record["packages"] == told["packages"]
    assert record["sha256"] == hashlib.sha256((code_dir / "requirements.txt").read_bytes()).hexdigest()


def test_a_wheel_of_another_hash_is_refused(code_dir: Path) -> None:
    with pytest.raises(StartupError, match=r"DO NOT MATCH THE HASHES.*greeting==1\.0") as told:
        install(code_dir, f"greeting==1.0 --hash=sha256:{'0' * 64}\n")
    assert told.value.phase == "requirements"
    assert not (code_dir.parent / "into" / "requirements.json").exists()


def test_a_version_that_the_server_cannot_bear_is_an_error_that_names_both(code_dir: Path) -> None:
    with pytest.raises(StartupError) as told:
        install(code_dir, "greeting\nnumpy==1.26.4\n")
    assert "The user requested numpy==1.26.4" in str(told.value)
    assert f"The user requested (constraint) numpy=={version('numpy')}" in str(told.value)
    assert "leave that line out" in str(told.value)


def test_a_package_that_cannot_be_found_is_told_with_the_way_without_a_network(code_dir: Path) -> None:
    with pytest.raises(StartupError, match=r"network isolation.*make image MODEL=model\.tar\.gz.*no-such-package==3"):
        install(code_dir, "no-such-package==3\n")


def test_without_pip_the_build_is_named(code_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(code_dir))
    with pytest.raises(StartupError, match=r"no pip on PATH.*make image MODEL"):
        install(code_dir, "greeting\n")


def test_compiled_modules_where_nothing_may_be_executed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker run --tmpfs /tmp is such a folder; the import would fail with `failed to map segment`."""
    (tmp_path / "fast.so").touch()
    monkeypatch.setattr(installer.os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_NOEXEC))
    with pytest.raises(StartupError, match=r"noexec.*--tmpfs /tmp:exec"):
        installer._check_loadable(tmp_path)


def test_what_the_server_needs_keeps_its_version_and_nothing_else_does() -> None:
    names = {pin.partition("==")[0].lower() for pin in installer.server_pins()}
    assert names >= {"flask", "gunicorn", "numpy", "werkzeug", "packaging", "orjson", "greenlet"}
    assert names & {"scikit-learn", "spacy", "joblib", "pip"} == set()


@pytest.mark.parametrize(("folder", "found"), [("wheels", True), ("lib", True), ("other", False)])
def test_wheels_may_lie_in_wheels_or_lib(folder: str, found: bool, tmp_path: Path) -> None:
    wheel(tmp_path / folder, "greeting", {})
    assert installer.wheel_folder(tmp_path) == (tmp_path / folder if found else None)


def test_a_lib_of_plain_packages_is_no_wheel_folder(tmp_path: Path) -> None:
    """The SDK puts a model's `dependencies` there; the index is asked for the rest."""
    (tmp_path / "lib" / "ours").mkdir(parents=True)
    assert installer.wheel_folder(tmp_path) is None


def test_what_is_built_in_is_not_installed_again(
    code_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (code_dir / "requirements.txt").write_text("greeting\n")
    digest = hashlib.sha256(b"greeting\n").hexdigest()
    (code_dir / "requirements.json").write_text(json.dumps({"sha256": digest}))
    monkeypatch.setattr(sys, "prefix", str(code_dir))
    into, said = install(code_dir, "greeting\n")
    assert (into.exists(), said) == (False, [])
    assert [each.getMessage() for each in caplog.records] == ["requirements_met"]
