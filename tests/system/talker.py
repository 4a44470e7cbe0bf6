"""The predictor.py of test_bidirectional: each message says what stream_fn shall do with it.

Staged as predictor.py into the program folder of a server; it never runs in the test's own process.
"""

import json
import os
import threading
import time
from pathlib import Path

GATES = Path(os.environ["GATES"])
BUSY = threading.Lock()


def model_fn(model_dir):
    return "a model"


def predict_fn(data, model):
    alone(data.get("s", 0))
    return data


def stream_fn(messages, model, context):
    name = context.query
    try:
        for message in messages:
            order = json.loads(message) if isinstance(message, str) and message.startswith("{") else None
            if order is None:
                yield message
            elif "return" in order:
                return
            else:
                yield from obey(order, context)
        (GATES / f"told-{name}").touch()
        yield "the last word"
    finally:
        (GATES / f"closed-{name}").touch()


def obey(order, context):
    alone(order.get("s", 0))
    if "raise" in order:
        raise RuntimeError(order["raise"])
    if "refuse" in order:
        from container.errors import UnprocessableInput

        raise UnprocessableInput(order["refuse"])
    for number in range(order.get("count", 0)):
        time.sleep(order.get("pause_s", 0))
        (GATES / "made").write_text(str(number + 1))
        yield b"x" * order["size"] if "size" in order else str(number)
    yield from order.get("values", [])
    if "tell" in order:
        yield {"query": context.query, "attributes": context.custom_attributes, "model": order["tell"]}


def alone(seconds):
    """Compute for so long. Raises if anything else computes meanwhile."""
    assert BUSY.acquire(blocking=False), "two at once"
    try:
        time.sleep(seconds)
    finally:
        BUSY.release()
