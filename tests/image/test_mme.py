"""MME-*: many models in one container, where the engine matters; tests/system/test_multi_model.py has the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image.conftest import open_to_all
from tests.image.container import HARDENED, Container
from tests.system.replies import Reply

Run = Callable[..., Container]
MANY = {"SAGEMAKER_MULTI_MODEL": "true"}
LARGE_MB = 150
LARGE = f"""
def model_fn(model_dir):
    return b"x" * ({LARGE_MB} << 20)

def predict_fn(data, model):
    return len(model) >> 20
"""


def post(container: Container, path: str, body: bytes, content_type: str = "application/json") -> Reply:
    return container.request("POST", path, body, {"Content-Type": content_type})


def load(container: Container, name: str) -> int:
    order = {"model_name": name, "url": f"/opt/ml/models/{name}/model"}
    return post(container, "/models", json.dumps(order).encode()).status


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Ten models, each of which holds some memory."""
    for number in range(10):
        code = tmp_path / "models" / f"m{number}" / "model" / "code"
        code.mkdir(parents=True)
        (code / "inference.py").write_text(LARGE)
    return open_to_all(tmp_path / "models")


def test_mme_01_02_and_06_models_are_loaded_from_a_folder_that_is_read_only(run: Run, model_dir: Path) -> None:
    mount = ("-v", f"{model_dir}:/opt/ml/models/iris/model:ro")
    container = run(options=(*HARDENED, *mount), env=MANY)
    container.wait_ready()
    assert container.request("GET", "/models").json() == {"models": []}
    assert load(container, "iris") == 200
    assert post(container, "/models/iris/invoke", b"5.1,3.5,1.4,0.2\n", "text/csv").json() == ["setosa"]


def test_mme_04_and_13_a_model_that_does_not_fit_is_a_507_and_unloading_makes_room(run: Run, models_dir: Path) -> None:
    """1. Models are loaded until one is refused.  2. One is unloaded.  Result: that one fits, and nobody was killed."""
    container = run(options=(*HARDENED, "-v", f"{models_dir}:/opt/ml/models:ro"), env=MANY, expect=("model_failed",))
    container.wait_ready()
    answers = [load(container, f"m{number}") for number in range(10)]
    fit = answers.index(507)
    assert answers == [200] * fit + [507] * (10 - fit)
    assert 3 <= fit <= 6, "of 1 GB"
    asked = [post(container, f"/models/m{number}/invoke", b"{}") for number in range(10)]
    assert [reply.status for reply in asked] == [200] * fit + [404] * (10 - fit)
    assert container.request("DELETE", "/models/m0").status == 200
    assert load(container, f"m{fit}") == 200
    assert load(container, f"m{fit + 1}") == 507
    assert "model_process_ended" not in container.log()
