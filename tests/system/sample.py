"""The shipped sample, trained by `train` and served by predictor.py as they stand: the fixtures of conftest.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.server import ROOT, Server

ROW = b"5.1,3.5,1.4,0.2\n"
ANSWER = ["setosa"]


@contextmanager
def serve_sample(model_dir: Path) -> Iterator[Server]:
    """A ready server of the sample with two workers. At the end both must be the ones that began, and still answer."""
    server = Server(
        predictor=(ROOT / "predictor.py").read_text(), model_dir=model_dir, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    )
    try:
        server.start().wait_ready(60)
        workers = [server.pids(role) for role in ("gunicorn_worker", "nginx_worker")]
        yield server
        assert server.invoke(ROW, "text/csv").json() == ANSWER
        assert workers == [server.pids(role) for role in ("gunicorn_worker", "nginx_worker")], "a worker died"
    finally:
        server.close()


def train(folder: Path) -> Path:
    """Run the shipped `train` in folder on the shipped data; the model folder."""
    shutil.copytree(ROOT / "local_test" / "test_dir" / "input", folder / "input")
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(ROOT / "train")], env=environment, check=True, capture_output=True)
    return folder / "model"
