"""A server of many models, and the platform's side of it: POST /models and its like. Used by test_multi_model*.py."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil

from tests.system.replies import Reply
from tests.system.server import OBEDIENT, Server

OF_MANY = (Path(__file__).parent / "of_many.py").read_text()
JSON = {"Content-Type": "application/json"}


class ManyModels(Server):
    """Server, with SAGEMAKER_MULTI_MODEL=true and a folder for models."""

    def __init__(self, *, env: dict[str, str] | None = None, files: dict[str, str] | None = None, **more: Any) -> None:
        more.setdefault("predictor", OF_MANY)
        env = {"SAGEMAKER_MULTI_MODEL": "true", **(env or {})}
        super().__init__(env=env, files={"obedient.py": OBEDIENT, **(files or {})}, **more)
        self.models_dir = self.folder / "ml" / "models"
        self.models_dir.mkdir()

    def put_model(self, name: str, files: dict[str, str] | None = None, **order: Any) -> str:
        """An artifact as the platform leaves it; its url."""
        folder = self.models_dir / name / "model"
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in {"order.json": json.dumps({"says": name, **order}), **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return str(folder)

    def load_at(self, name: Any, url: Any, timeout_s: float = 0) -> Reply:
        """POST /models."""
        body = json.dumps({"model_name": name, "url": url}).encode()
        return self.request("POST", "/models", body, JSON, timeout_s)

    def load(self, name: str, files: dict[str, str] | None = None, **order: Any) -> Reply:
        """An artifact, and POST /models for it."""
        return self.load_at(name, self.put_model(name, files, **order))

    def load_later(self, name: str, **order: Any) -> Future[Reply]:
        return self.run_later(lambda: self.load(name, **order))

    def ask(self, name: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """POST /models/NAME/invoke."""
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return self.request("POST", f"/models/{name}/invoke", content, {**JSON, **(headers or {})})

    def ask_later(self, name: str, body: Any = None) -> Future[Reply]:
        return self.run_later(lambda: self.ask(name, body))

    def get(self, name: str) -> Reply:
        return self.request("GET", f"/models/{name}")

    def unload(self, name: str) -> Reply:
        return self.request("DELETE", f"/models/{name}")

    def page(self, query: str = "") -> Any:
        """GET /models, which has to be a 200."""
        reply = self.request("GET", f"/models{query}")
        assert reply.status == 200, reply
        return reply.json()

    def names(self) -> list[str]:
        """All models, walking the pages."""
        found, page = [], self.page()
        while True:
            found += [each["modelName"] for each in page["models"]]
            if "nextPageToken" not in page:
                return found
            page = self.page(f"?next_page_token={page['nextPageToken']}")

    def keeper(self) -> psutil.Process:
        """The process that holds the models."""
        (keeper,) = [each for each in self.processes() if "container.keeper" in each.cmdline()]
        return keeper

    def nursery(self) -> psutil.Process:
        (nursery,) = [each for each in self.keeper().children() if "container.nursery" in each.cmdline()]
        return nursery

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def memory_bytes(self) -> int:
        """What all processes hold together, shared pages counted once."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        return total
