"""How a training job ends: exit code, failure file, manifest. Real train functions against a fake /opt/ml."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from container import manifest
from container.failure import headline
from container.training import Job, execute


@pytest.fixture(autouse=True)
def quiet_root_logger() -> Iterator[None]:
    """execute configures the process's logging, which belongs to pytest here."""
    import logging
    import warnings

    before = logging.root.handlers[:], logging.root.level, warnings.showwarning
    yield
    logging.root.handlers[:], logging.root.level, warnings.showwarning = before


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"SAGEMAKER_BASE_DIR": str(tmp_path)}


def failure_of(base_dir: Path) -> str:
    return (base_dir / "output" / "failure").read_text()


def save(job: Job) -> None:
    (job.model_dir / "model.joblib").write_bytes(b"model")


def events(text: str) -> dict[str, dict[str, object]]:
    return {line["event"]: line for line in map(json.loads, filter(lambda row: row.startswith("{"), text.splitlines()))}


def test_a_saved_model_is_exit_0_without_failure_file_and_with_a_manifest(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assert execute(save, environ) == 0
    assert not (tmp_path / "output" / "failure").exists()
    written = manifest.read_manifest(tmp_path / "model")
    assert list(written.files) == ["model.joblib"]  # type: ignore[union-attr]


def test_what_save_manifest_was_told_is_kept_and_later_files_are_listed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    def train(job: Job) -> None:
        save(job)
        job.save_manifest(feature_names=["a", "b"], sample=("text/csv", "1,2\n"))
        (job.model_dir / "labels.json").write_text("[]")

    assert execute(train, environ) == 0
    written = manifest.read_manifest(tmp_path / "model")
    assert written is not None
    assert (written.feature_names, written.sample) == (("a", "b"), manifest.Sample("text/csv", "1,2\n"))
    manifest.check_files(written, tmp_path / "model")
    assert sorted(written.files) == ["labels.json", "model.joblib"]


def test_trn_02_the_exception_and_its_place_come_first(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        raise ValueError("hyperparameter depth='x' must be a whole number")

    assert execute(train, environ) == 1
    first, second, *_ = failure_of(tmp_path).splitlines()
    assert first == "ValueError: hyperparameter depth='x' must be a whole number"
    assert second.startswith("at test_training.py:")
    assert second.endswith(" in train")
    assert "Traceback (most recent call last)" in failure_of(tmp_path)


def test_trn_02_a_huge_message_leaves_room_for_place_and_hint() -> None:
    try:
        raise FileNotFoundError("x" * 100_000)
    except FileNotFoundError as error:
        head = headline(error)
    assert len(head) <= 1024
    assert "at test_training.py:" in head
    assert "hint: " in head


def test_the_place_is_the_users_line_not_the_librarys(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        json.loads("{")

    execute(train, environ)
    assert "at test_training.py:" in failure_of(tmp_path).splitlines()[1]


def test_a_failure_is_one_json_line_with_the_traceback(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def train(job: Job) -> None:
        raise KeyError("depth")

    execute(train, environ)
    line = events(capsys.readouterr().out)["training_failed"]
    assert (line["exception"], line["exit_code"]) == ("KeyError", 1)
    assert "raise KeyError" in str(line["traceback"])


def no_file(job: Job) -> None: ...


def an_empty_folder(job: Job) -> None:
    (job.model_dir / "model").mkdir()


def only_a_manifest(job: Job) -> None:
    job.save_manifest()


@pytest.mark.parametrize("train", [no_file, an_empty_folder, only_a_manifest])
def test_train_that_saves_nothing_failed(train: Callable[[Job], None], environ: dict[str, str], tmp_path: Path) -> None:
    assert execute(train, environ) == 1
    assert failure_of(tmp_path).startswith("train wrote no file to job.model_dir")


def test_a_model_of_an_earlier_run_does_not_count(environ: dict[str, str], tmp_path: Path) -> None:
    """On a developer's machine the folder is not empty."""
    assert execute(save, environ) == 0
    assert execute(no_file, environ) == 1


def test_a_model_copied_over_the_same_one_counts(environ: dict[str, str], tmp_path: Path) -> None:
    """copy2 keeps the modification time and the size."""
    (tmp_path / "source").write_bytes(b"model")

    def train(job: Job) -> None:
        shutil.copy2(tmp_path / "source", job.model_dir / "model.joblib")

    assert execute(train, environ) == 0
    assert execute(train, environ) == 0


def test_the_failure_of_an_earlier_run_goes(environ: dict[str, str], tmp_path: Path) -> None:
    assert execute(no_file, environ) == 1
    assert execute(save, environ) == 0
    assert not (tmp_path / "output" / "failure").exists()


def test_a_failure_file_of_the_users_own_is_kept(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        (job.base_dir / "output" / "failure").write_text("my words")
        raise ValueError

    assert execute(train, environ) == 1
    assert failure_of(tmp_path) == "my words"


@pytest.mark.parametrize(("code", "exit_code"), [(3, 3), ("give up", 1), (256, 1), (-1, 1), (True, 1)])
def test_sys_exit_with_an_error_is_a_failure_with_that_code(
    code: object, exit_code: int, environ: dict[str, str], tmp_path: Path
) -> None:
    def train(job: Job) -> None:
        save(job)
        sys.exit(code)  # type: ignore[arg-type]

    assert execute(train, environ) == exit_code
    assert f"train called sys.exit({code!r})" in failure_of(tmp_path)


@pytest.mark.parametrize("code", [None, 0])
def test_sys_exit_0_is_a_return(code: object, environ: dict[str, str]) -> None:
    def train(job: Job) -> None:
        save(job)
        sys.exit(code)  # type: ignore[arg-type]

    assert execute(train, environ) == 0


def test_trn_04_a_broken_configuration_is_said_without_calling_train(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "input" / "config").mkdir(parents=True)
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text("{depth: 3}")
    assert execute(lambda _: pytest.fail("train was called"), environ) == 1
    assert "input/config/hyperparameters.json cannot be read as JSON" in failure_of(tmp_path)[:200]


def test_a_bad_setting_is_said_in_the_failure_file(environ: dict[str, str], tmp_path: Path) -> None:
    assert execute(save, environ | {"SAGEMAKER_BIND_TO_PORT": "http"}) == 1
    assert failure_of(tmp_path).startswith("SAGEMAKER_BIND_TO_PORT='http' must be a whole number")


def test_an_output_folder_that_cannot_be_written_does_not_hide_the_error(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output").write_text("a file in the way")
    assert execute(save, environ) == 1
    assert {"training_failed", "failure_file_not_written"} <= events(capsys.readouterr().out).keys()


def test_trn_09_only_the_leader_writes_the_model(environ: dict[str, str], tmp_path: Path) -> None:
    """The other hosts run the same code; what they save goes to a folder that is removed."""
    (tmp_path / "input" / "config").mkdir(parents=True)
    config = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (tmp_path / "input" / "config" / "resourceconfig.json").write_text(json.dumps(config))
    saved_to: list[Path] = []

    def train(job: Job) -> None:
        save(job)
        saved_to.append(job.model_dir)

    assert execute(train, environ) == 0
    assert not (tmp_path / "model").exists()
    assert not saved_to[0].exists()
    assert environ["SM_MODEL_DIR"] == str(saved_to[0])


def test_the_users_code_finds_its_folders_and_the_sm_variables(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        assert job.output_data_dir.is_dir()
        assert job.checkpoint_dir.is_dir()
        assert environ["SM_MODEL_DIR"] == str(job.model_dir) == str(tmp_path / "model")
        save(job)

    assert execute(train, environ) == 0


def test_the_signal_handler_of_the_process_is_put_back(environ: dict[str, str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert execute(save, environ) == 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_stop_during_train_that_saved_nothing_is_143(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("was not interrupted")

    assert execute(train, environ) == 143
    assert not (tmp_path / "output" / "failure").exists()


def test_trn_05_a_stop_after_save_manifest_is_0(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        save(job)
        job.save_manifest()
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("was not interrupted")

    assert execute(train, environ) == 0


def test_a_stop_with_a_file_but_no_manifest_is_143(environ: dict[str, str], tmp_path: Path) -> None:
    """The file may be half a file; it is kept all the same."""

    def train(job: Job) -> None:
        save(job)
        os.kill(os.getpid(), signal.SIGTERM)

    assert execute(train, environ) == 143
    assert (tmp_path / "model" / "model.joblib").exists()
    assert not (tmp_path / "model" / "manifest.json").exists()


def test_a_stop_while_the_model_is_saved_anew_is_143(environ: dict[str, str], tmp_path: Path) -> None:
    def train(job: Job) -> None:
        save(job)
        job.save_manifest()
        (job.model_dir / "model.joblib").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGTERM)

    assert execute(train, environ) == 143


def test_trn_05_a_loop_that_asks_for_the_stop_is_not_interrupted(environ: dict[str, str]) -> None:
    def train(job: Job) -> None:
        assert not job.stopping
        os.kill(os.getpid(), signal.SIGTERM)
        assert job.stopping.wait(10)
        save(job)

    assert execute(train, environ) == 0


def test_a_loop_that_returns_on_the_stop_without_a_model_is_143(environ: dict[str, str]) -> None:
    def train(job: Job) -> None:
        assert not job.stopping.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert job.stopping.wait(10)

    assert execute(train, environ) == 143
