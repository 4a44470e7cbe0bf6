"""A server of many models, and the platform's side of it: POST /models and its like. Used by many."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace

from bench import assets
from bench.contestants import ALL
from bench.environments import BUILD_DIR
from bench.processes import command_of, pss_mb
from bench.servers import Failed, Running

(SINGLE,) = (peer for peer in ALL if peer.name == "ours")
MANY = replace(SINGLE, name="many")
BASE = BUILD_DIR / "many"
ROW = SINGLE.forms["csv"]
BODY = assets.PAYLOADS_DIR / "row.csv"
JSON = {"Content-Type": "application/json"}


class Many(Running):
    """A server of many models, and what the platform asks of it."""

    def __init__(self, workers: int = 2, **env: str) -> None:
        shutil.rmtree(BASE, ignore_errors=True)
        self.models_dir = BASE / "models"
        more = {"SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_BASE_DIR": str(BASE), **env}
        super().__init__(MANY, assets.ASSETS_DIR / "m1", workers, more)

    def put(self, name: str, code: str = "") -> None:
        """The sample model, or code, as the platform leaves it."""
        folder = self.models_dir / name / "model"
        if code:
            (folder / "code").mkdir(parents=True)
            (folder / "code/inference.py").write_text(code)
        else:
            shutil.copytree(assets.ASSETS_DIR / "m1", folder)

    def must(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = JSON) -> bytes:
        """The answer, which has to be a 200. Raises Failed."""
        status, answer = self.ask(method, path, body, headers)
        if status != 200:
            raise Failed(f"{method} {path} was answered {status}: {answer[:300]!r}")
        return answer

    def load(self, name: str) -> None:
        order = {"model_name": name, "url": str(self.models_dir / name / "model")}
        self.must("POST", "/models", json.dumps(order).encode())

    def invoke(self, name: str) -> None:
        self.must("POST", f"/models/{name}/invoke", BODY.read_bytes(), ROW.headers)

    def listed(self) -> list[str]:
        names: list[str] = []
        query = ""
        while True:
            page = json.loads(self.must("GET", f"/models{query}"))
            names += [model["modelName"] for model in page["models"]]
            if "nextPageToken" not in page:
                return names
            query = f"?next_page_token={page['nextPageToken']}"

    def pss_mb(self) -> float:
        return round(pss_mb(self.pids()), 1)

    def open_files(self) -> int:
        """Descriptors of the keeper."""
        (keeper,) = (pid for pid in self.pids() if "container.keeper" in command_of(pid)[1])
        return len(os.listdir(f"/proc/{keeper}/fd"))
