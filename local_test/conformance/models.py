"""A server of many models, asked as the platform asks it: load, list, get, invoke, unload. Used by checks of MME."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local_test.conformance.assertion import Broken, Claim, Untestable, expect
from local_test.conformance.bench import NO_PROBE, Bench, Sample
from local_test.conformance.server import INVOCATION_LIMIT_S, Server, Setup, json_of, wait_for
from local_test.conformance.wire import Answer, NoAnswer

SETUP = Setup(env={"SAGEMAKER_MULTI_MODEL": "true"})
"""How the platform starts it: with no model."""
ROOT = "/opt/ml/models"
ORDER = Sample(b'{"do": "say", "what": "conformance"}', "application/json")
NO_MODEL = "needs a model that can be loaded, and a request for it: --model-dir DIR"
USABLE_LIMIT_S = 10.0
LIST_LIMIT_S, LOADS_LIMIT_S = 60.0, 60.0


@dataclass(frozen=True)
class Model:
    """A model's folder, and a request that works with it."""

    folder: Path
    sample: Sample


def plain_model(bench: Bench) -> Model:
    """The caller's, or else the probe. Raises Untestable without either."""
    if bench.options.model_dir is not None and bench.sample_or_none is not None:
        return Model(bench.options.model_dir, bench.sample_or_none)
    if Claim.SCRIPTS in bench.claims:
        return probe_model(bench)
    raise Untestable(NO_MODEL)


def probe_model(bench: Bench, **orders: Any) -> Model:
    """The probe. orders: what model_fn shall do. Raises Untestable where scripts are not run."""
    folder = bench.probe_setup(**orders).model_dir
    if folder is None:
        raise Untestable(NO_PROBE)
    return Model(folder, ORDER)


def new_name() -> str:
    """As the platform's: a hash."""
    return uuid.uuid4().hex


def url_of(name: str) -> str:
    return f"{ROOT}/{name}/model"


def shared(bench: Bench) -> Models:
    """The server that most checks share. Raises Untestable if it does not start: MME-01 says why."""
    return Models(bench.shared("many models", SETUP))


class Models:
    """The routes of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def load(self, name: str, url: str = "", timeout_s: float = INVOCATION_LIMIT_S) -> Answer:
        order = {"model_name": name, "url": url or url_of(name)}
        return self.server.invoke(order, path="/models", timeout_s=timeout_s)

    def get(self, name: str) -> Answer:
        return self.server.request("GET", f"/models/{name}")

    def unload(self, name: str) -> Answer:
        return self.server.request("DELETE", f"/models/{name}")

    def invoke(self, name: str, sample: Sample, **headers: str) -> Answer:
        """headers: with _ for -."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.server.invoke(sample.body, sample.content_type, named, path=f"/models/{name}/invoke")

    def page(self, token: str = "") -> Answer:
        """A page of the list: the first, or that of a token."""
        return self.server.request("GET", f"/models?next_page_token={quote(token, safe='')}" if token else "/models")

    def pages(self) -> Iterator[list[Any]]:
        """The whole list. Raises Broken."""
        token, end_s = "", time.monotonic() + LIST_LIMIT_S
        while time.monotonic() < end_s:
            models, token = page_of(self.page(token))
            yield models
            if not token:
                return
        raise Broken(f"the list of models has not come to its end within {LIST_LIMIT_S:g} s")

    def names(self) -> set[str]:
        """All names that it lists. Raises Broken."""
        return {name_of(model) for models in self.pages() for model in models}

    def put(self, model: Model, count: int = 1) -> list[str]:
        """Bring copies of a model where the platform unpacks it: their names."""
        names = [new_name() for _ in range(count)]
        self.server.put(model.folder, [url_of(name) for name in names])
        return names

    @contextmanager
    def loaded(self, model: Model) -> Iterator[str]:
        """The name of a model that is loaded and answers, unloaded at the end. Raises Untestable if it does not."""
        with self.brought(model) as name:
            self.make_usable(name, model)
            yield name

    @contextmanager
    def brought(self, model: Model) -> Iterator[str]:
        """The name of a model that can be loaded; unloaded at the end, if it was."""
        (name,) = self.put(model)
        try:
            yield name
        finally:
            self.forget([name])

    def make_usable(self, name: str, model: Model) -> None:
        """Load it, and wait until it answers. Raises Untestable if it does not: MME-02 says why."""
        try:
            self.load_and_wait(name, model)
        except (Broken, NoAnswer) as error:
            raise Untestable(f"it does not serve a model that was loaded (see MME-02): {error}") from error

    def load_and_wait(self, name: str, model: Model) -> None:
        """Load it, and wait until it answers. Raises Broken."""
        answer = self.load(name)
        expect(answer.status // 100 == 2, f"POST /models for {name} was answered {answer}")
        self.wait_usable(name, model)

    def wait_usable(self, name: str, model: Model) -> None:
        """Wait until it answers 200. Raises Broken."""
        late = f"the loaded model {name} did not answer 200 within {USABLE_LIMIT_S:g} s"
        wait_for(lambda: self.invoke(name, model.sample).status == 200, USABLE_LIMIT_S, late)

    def load_what_fits(self, names: Sequence[str]) -> list[str]:
        """Load them until one is 507, or for long: those that are loaded. Raises Untestable if a load fails."""
        loaded: list[str] = []
        end_s = time.monotonic() + LOADS_LIMIT_S
        for name in names:
            answer = self.load(name)
            if answer.status == 507 or time.monotonic() > end_s:
                break
            if answer.status // 100 != 2:
                raise Untestable(f"model {len(loaded) + 1} could not be loaded: {answer}")
            loaded.append(name)
        return loaded

    def forget(self, names: Sequence[str]) -> None:
        """Unload them, whatever it answers."""
        with suppress(NoAnswer):
            for name in names:
                self.unload(name)


def page_of(answer: Answer) -> tuple[list[Any], str]:
    """A list's models, and the token of the next page. Raises Broken."""
    expect(answer.status == 200, f"GET /models was answered {answer}")
    data = json_of(answer)
    models, token = (data.get("models"), data.get("nextPageToken")) if isinstance(data, dict) else (None, None)
    if not isinstance(models, list):
        raise Broken(f"GET /models gives no list in the key models: {answer}")
    expect(isinstance(token, str | None), f"nextPageToken is no text: {answer}")
    return models, token or ""


def name_of(model: Any) -> str:
    """Raises Broken if it has none."""
    name = model.get("modelName") if isinstance(model, dict) else None
    if not isinstance(name, str):
        raise Broken(f"a model in the list has no modelName: {str(model)[:200]}")
    return name
