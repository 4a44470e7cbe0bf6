"""What no server can pass: the same work in loops of two processes, without HTTP; the bare import and load.

A batching server predicts once for many, so the loop does too: up to 32 requests of one row, each decoded and encoded
by itself. Called by races.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load import Figures
from bench.slots import SLOTS, Cell
from bench.startup import bare_s

if TYPE_CHECKING:  # the real types are of a spawn context
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

TOGETHER = 32
"""Requests in one prediction: as many as 64 connections give each of two workers."""


def measure(cell: Cell, model_dir: Path, payload: Path, seconds: float, processes: int) -> Figures:
    """The figures of a load or start cell."""
    if cell.slot == "start":
        took_s = bare_s(f"import joblib; joblib.load({str(model_dir / 'model.joblib')!r})")
        return {"answer_s": round(took_s, 3)}
    together = 1 if cell.slot == "batch" else min(TOGETHER, cell.number)
    started = time.perf_counter()
    rates = run(cell.slot, model_dir, payload, together, seconds, processes)
    return {"good_per_s": round(sum(rates), 2), "together": together, "took_s": round(time.perf_counter() - started, 1)}


def run(slot: str, model_dir: Path, payload: Path, together: int, seconds: float, processes: int) -> list[float]:
    """Requests a second of each process."""
    context = multiprocessing.get_context("spawn")
    barrier, rates = context.Barrier(processes), context.Queue()
    arguments = (slot, model_dir, payload.read_bytes(), together, seconds, barrier, rates)
    children = [context.Process(target=_loop, args=arguments, daemon=True) for _ in range(processes)]
    for child in children:
        child.start()
    try:
        return [rates.get(timeout=seconds + 120) for _ in children]
    finally:
        for child in children:
            child.terminate()
            child.join()


def _loop(slot: str, model_dir: Path, body: bytes, together: int, seconds: float, barrier: Barrier,
          rates: Queue[float]) -> None:  # fmt: skip
    answer = _work(slot, model_dir)
    answer([body] * together)
    barrier.wait(120)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        answer([body] * together)
        done += together
    rates.put(done / (time.perf_counter() - started))


def _work(slot: str, model_dir: Path) -> Callable[[list[bytes]], Any]:
    """A function that answers several bodies at once."""
    from container.codecs import decode, encode

    media_type = "application/json" if slot in ("json", "ner") else "text/csv"
    if SLOTS[slot].artifact == "ner":
        return _entities(model_dir, lambda body: decode(body, media_type), lambda answer: encode(answer, media_type))
    import joblib
    import numpy as np

    model = joblib.load(model_dir / "model.joblib")

    def answer(bodies: list[bytes]) -> Any:
        rows = [np.asarray(getattr(each, "values", each)) for each in (decode(body, media_type) for body in bodies)]
        found = model.predict(np.concatenate(rows) if len(rows) > 1 else rows[0])
        ends = np.cumsum([len(each) for each in rows])[:-1]
        return [encode(each, media_type) for each in np.split(found, ends)]

    return answer


def _entities(
    model_dir: Path, decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]
) -> Callable[[list[bytes]], Any]:
    import spacy

    from examples.spacy_ner.predictor import entities_of

    nlp = spacy.load(model_dir / "pipeline")

    def answer(bodies: list[bytes]) -> Any:
        texts = [decode(body)["input"] for body in bodies]
        return [encode({"output": entities_of(doc)}) for doc in nlp.pipe(texts)]

    return answer
