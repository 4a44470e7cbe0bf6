"""The trial of `python -m deploy package --image`: the real image loads the model, or its log says why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.packing import trial
from deploy.packing.members import members
from tests.image.container import docker


def serve(image: str, folder: Path) -> float:
    return trial.serve(image, members(folder), beside=folder.parent, timeout_s=60, waiting=lambda _: None)


def test_model_that_loads_is_ready_and_nothing_is_left(image: str, model_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_dir, tmp_path / "model"))
    before = docker("ps", "-aq", "--filter", "name=sagemaker-serve")
    assert 0 < serve(image, folder) < 60
    assert docker("ps", "-aq", "--filter", "name=sagemaker-serve") == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_model_that_does_not_load_is_told_with_the_servers_own_words(image: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("no model")
    with pytest.raises(DeployError) as caught:
        serve(image, tmp_path / "model")
    assert "ended with exit code" in caught.value.reason
    assert "model_fn (predictor.py) failed: FileNotFoundError" in caught.value.reason
