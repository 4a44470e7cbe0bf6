"""Writes MLServer's two settings files and becomes it. BATCH=1: adaptive batching."""

import json
import os
import socket
import sys
from pathlib import Path

MAX_BATCH_SIZE, MAX_BATCH_TIME_S = 64, 0.005

run_dir = Path(os.environ["RUN_DIR"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


settings = {"host": "127.0.0.1", "http_port": int(os.environ["PORT"]), "grpc_port": free_port(),
            "metrics_port": free_port(), "parallel_workers": int(os.environ["WORKERS"]), "debug": False}  # fmt: skip
model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
if os.environ["ARTIFACT"] == "ner":
    model["implementation"] = "entities.Entities"
else:
    model["parameters"] = {"uri": f"{os.environ['MODEL_DIR']}/model.joblib"}
if os.environ.get("BATCH"):
    model |= {"max_batch_size": MAX_BATCH_SIZE, "max_batch_time": MAX_BATCH_TIME_S}
(run_dir / "settings.json").write_text(json.dumps(settings))
(run_dir / "model-settings.json").write_text(json.dumps(model))
os.environ["PYTHONPATH"] += f":{Path(__file__).parent}"
program = str(Path(sys.executable).with_name("mlserver"))
os.execv(program, [program, "start", str(run_dir)])
