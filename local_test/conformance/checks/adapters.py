"""LOR: adapters that are loaded beside a model.

An adapter that a model can load is its own affair: put one into the model folder as adapters/NAME. Without one, a
folder is offered that has no more than an adapter_config.json, which a server that reads adapters may refuse.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from local_test.conformance.assertion import Claim, Group, Untestable, expect
from local_test.conformance.bench import Bench, open_to_all
from local_test.conformance.server import Server, Setup
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.ADAPTERS)

IDENTIFIER = "X-Amzn-SageMaker-Adapter-Identifier"
PLACE = "/opt/ml/adapters"
CONFIG = {"peft_type": "LORA", "r": 8, "lora_alpha": 8, "target_modules": [], "base_model_name_or_path": ""}
NO_ADAPTER = "needs an adapter that the model can load: put one into the model folder as adapters/NAME; it answered"


@dataclass(frozen=True)
class Shelf:
    """A server, and the folder of an adapter inside it."""

    server: Server
    source: str

    def load(self, name: str) -> Answer:
        order = {"name": name, "src": self.source, "preload": True, "pin": False}
        return self.server.invoke(order, path="/adapters")

    def unload(self, name: str) -> Answer:
        return self.server.request("DELETE", f"/adapters/{name}")

    def loaded(self, name: str) -> str:
        """Load it. Raises Untestable if it is refused."""
        answer = self.load(name)
        if answer.status != 200:
            raise Untestable(f"{NO_ADAPTER} {answer}")
        return name


@GROUP.should(
    "LOR-01", "An adapter is loaded and unloaded; loading it twice conflicts, unloading an unknown one is 404.",
    source="MHCS, DJL", otherwise="Adapter inference components cannot be placed, or the platform loses count of them.",
    fix="Serve POST /adapters and DELETE /adapters/{name}: 200, 409 for one that is loaded, 404 for one that is not.",
)  # fmt: skip
def load_and_unload(bench: Bench) -> None:
    shelf, name = shelf_of(bench), new_name()
    listed = shelf.server.request("GET", "/adapters")
    expect(listed.status == 200, f"GET /adapters was answered {listed}")
    unknown = shelf.unload(name)
    expect(unknown.status == 404, f"unloading an unknown adapter was answered {unknown}")
    shelf.loaded(name)
    second = shelf.load(name)
    expect(400 <= second.status < 500, f"loading it a second time was answered {second}")
    unloaded = shelf.unload(name)
    expect(unloaded.status in (200, 204), f"unloading it was answered {unloaded}")
    again = shelf.unload(name)
    expect(again.status == 404, f"unloading it a second time was answered {again}")


@GROUP.should(
    "LOR-02", "The header Adapter-Identifier selects the adapter; an unknown one is refused with a 4xx.",
    source="MHCS", otherwise="A client that asks for an adapter gets the base model's answer, and does not notice.",
    fix=f"Read {IDENTIFIER} of each request; answer 404 if no adapter of that name is loaded.",
)  # fmt: skip
def header_selects(bench: Bench) -> None:
    shelf, name = shelf_of(bench), new_name()
    unknown = ask(bench, shelf, name)
    expect(400 <= unknown.status < 500, f"an unknown adapter was answered {unknown}")
    known = ask(bench, shelf, shelf.loaded(name))
    shelf.unload(name)
    expect(known.status == 200, f"a loaded adapter was answered {known}")
    gone = ask(bench, shelf, name)
    expect(400 <= gone.status < 500, f"an adapter that was unloaded was answered {gone}")


def shelf_of(bench: Bench) -> Shelf:
    """The model's own adapter, or the one that is made here."""
    model_dir = bench.options.model_dir
    own = sorted(path.name for path in model_dir.glob("adapters/*") if path.is_dir()) if model_dir else []
    if own:
        return Shelf(bench.server(), f"/opt/ml/model/adapters/{own[0]}")
    return Shelf(bench.shared("adapters", with_adapter(bench)), f"{PLACE}/conformance")


def with_adapter(bench: Bench) -> Setup:
    folder = bench.folder()
    (folder / "conformance").mkdir()
    (folder / "conformance" / "adapter_config.json").write_text(json.dumps(CONFIG))
    return bench.change(mounts={f"{PLACE}:ro": open_to_all(folder)})


def new_name() -> str:
    return f"conformance-{uuid.uuid4().hex[:8]}"


def ask(bench: Bench, shelf: Shelf, name: str) -> Answer:
    """The sample request, answered by this adapter."""
    return shelf.server.invoke(bench.sample.body, bench.sample.content_type, {IDENTIFIER: name})
