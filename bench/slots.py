"""The races: what is asked of every server, and in which form. A cell is a slot and a number, as in csv:64.

Used by contestants (which form a server takes), races (which cells are run) and tables (their headings).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

DEFAULT_CELLS = "csv:1,64,256;json:1;batch:8;rf:8,64;ner:8,64;start:2;memory:2,4"


class Unknown(ValueError):
    """A name on the command line that we do not know; the text lists those that we do."""


@dataclass(frozen=True)
class Slot:
    """One kind of work: the artifact that is served, what is sent, and what the number of its cells counts."""

    title: str
    artifact: str
    payload: str
    counts: str = "connections"


SLOTS = {
    "csv": Slot("one CSV row, logistic regression", "m1", "row"),
    "json": Slot("one JSON row, logistic regression", "m1", "row"),
    "batch": Slot("1,000 CSV rows, logistic regression", "m1", "batch"),
    "rf": Slot("one row, forest of 200 trees", "rf", "row"),
    "ner": Slot("300 characters, spaCy entities", "ner", "text"),
    "start": Slot("start to the first right answer", "m1", "row", "workers"),
    "memory": Slot("memory after load", "m1", "row", "workers"),
}
LOADS = [name for name, slot in SLOTS.items() if slot.counts == "connections"]


@dataclass(frozen=True)
class Cell:
    """One thing that is measured. number: connections of a load, workers of start and memory."""

    slot: str
    number: int

    def __str__(self) -> str:
        return f"{self.slot}:{self.number}"

    @property
    def is_load(self) -> bool:
        return self.slot in LOADS

    @property
    def load_slot(self) -> str:
        """The slot whose request is sent: start and memory are measured with csv."""
        return self.slot if self.is_load else "csv"


@dataclass(frozen=True)
class Form:
    """How a server wants to be asked, and where in its answer the prediction stands.

    payload: the suffix of the file that is sent. answer: csv, or json and the keys on the way: json:outputs.0.data.
    """

    path: str
    content_type: str
    payload: str
    answer: str
    accept: str = ""
    """Empty: the content type."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type, "Accept": self.accept or self.content_type}


def parse_cells(text: str, known: Collection[str] = tuple(SLOTS)) -> list[Cell]:
    """Cells from text such as csv:1,64;rf:8. Raises Unknown."""
    cells = []
    for part in filter(None, text.replace(" ", "").split(";")):
        slot, _, numbers = part.partition(":")
        if slot not in known:
            raise Unknown(f"no cell is called {slot!r}; there are: {', '.join(known)}")
        if not numbers or not all(number.isdecimal() and int(number) > 0 for number in numbers.split(",")):
            raise Unknown(f"{part!r} is not a cell; write it like csv:1,64 or {slot}:2")
        cells += [Cell(slot, int(number)) for number in numbers.split(",")]
    if not cells:
        raise Unknown(f"no cells; write them like {next(iter(known))}:1,64")
    return list(dict.fromkeys(cells))


def read_answer(answer: str, body: bytes) -> Any:
    """The prediction in a body. Raises ValueError, LookupError or TypeError when it is not where it should be."""
    how, _, keys = answer.partition(":")
    if how == "csv":
        return [int(float(field)) for field in body.decode().replace('"', "").replace("\\n", "\n").split()]
    found = json.loads(body)
    for key in filter(None, keys.split(".")):
        found = json.loads(found) if key == "json" else found[int(key) if key.isdecimal() else key]
    return found
