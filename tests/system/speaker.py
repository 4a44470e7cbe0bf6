"""The predictor.py of test_streaming: each request says which parts its answer shall have.

Staged as predictor.py into the program folder of a server; it never runs in the test's own process.
"""

import os
import time
from pathlib import Path

GATES = Path(os.environ["GATES"])


def model_fn(model_dir):
    return None


def predict_fn(data, model):
    return data


def output_fn(order, accept):
    content_type = order.get("type", "text/plain")
    return parts(order), content_type


def parts(order):
    """order: parts, the texts; wait, the number of a part that waits for its gate; fail, one that is never made;
    size and count for many; pause_s between them."""
    try:
        for number, part in enumerate(order.get("parts") or many(order)):
            if number == order.get("wait"):
                wait_for(order["gate"])
            if number == order.get("fail"):
                raise RuntimeError("as asked")
            time.sleep(order.get("pause_s", 0))
            (GATES / "made").write_text(str(number + 1))
            yield part
    finally:
        (GATES / f"closed-{order.get('name')}").touch()


def many(order):
    for _ in range(order.get("count", 0)):
        yield b"x" * order["size"]


def wait_for(name):
    while not (GATES / name).exists():
        time.sleep(0.005)
