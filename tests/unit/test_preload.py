"""What gunicorn's master forgets of the user's code, so that the next workers load it anew."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from container import preload
from container.settings import Settings

PROGRAM_DIR = Path(np.__file__).parents[5]  # of .venv/lib/python3.11/site-packages/numpy/__init__.py


def module(name: str, file: Path) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = str(file)
    return made


def test_the_users_code_is_forgotten_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """numpy cannot be imported twice: in a checkout it is in .venv, inside of the program's folder."""
    settings = Settings(model_dir=tmp_path / "model")
    files = {
        "predictor": PROGRAM_DIR / "predictor.py",
        "inference": tmp_path / "model" / "code" / "inference.py",
        "neighbour": tmp_path / "model2" / "neighbour.py",
        "container.app": PROGRAM_DIR / "container" / "app.py",
        "numpy": Path(np.__file__),
    }
    app = SimpleNamespace(callable="the app")
    with monkeypatch.context() as patch:
        patch.setattr(preload, "PROGRAM_DIR", PROGRAM_DIR)
        patch.setattr(sys, "modules", {**sys.modules, **{name: module(name, file) for name, file in files.items()}})
        preload.forget(app, settings)
        kept = [name for name in files if name in sys.modules]
    assert (app.callable, kept) == (None, ["neighbour", "container.app", "numpy"])
