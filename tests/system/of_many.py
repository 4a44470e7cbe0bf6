"""The predictor.py of the tests of many models: each model's own order.json says how it loads, each request what to do.

Staged into the program folder of a server; it never runs in the test's own process. Beside obedient.py, for gates.
"""

import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path

from obedient import gate


def model_fn(model_dir):
    order = json.loads((Path(model_dir) / "order.json").read_text())
    if "gate" in order:
        gate(order["gate"])
    if "hold_interpreter_s" in order:  # as native code that never lets go of it
        ctypes.PyDLL(None).usleep(int(order["hold_interpreter_s"] * 1e6))
    if "sleep_s" in order:
        time.sleep(order["sleep_s"])
    if "raise" in order:
        raise getattr(__builtins__, order["raise"], None) or __builtins__[order["raise"]]("as ordered")
    if order.get("die"):
        os.kill(os.getpid(), getattr(signal, order["die"]))
    order["held"] = b"x" * (order.get("mb", 0) << 20)
    return order


def predict_fn(data, model, context):
    do = data.get("do")
    if do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "wait":
        gate(data["gate"])
    elif do == "sleep":
        time.sleep(data["s"])
    elif do == "work":
        end_s = time.thread_time() + data["s"]
        while time.thread_time() < end_s:
            sum(range(1000))
    elif do == "short":
        raise MemoryError
    elif do == "gpu":
        raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2 GiB")
    elif do == "headers":
        context.response_headers["X-Amzn-SageMaker-Custom-Attributes"] = context.custom_attributes
        return {"target": context.headers["X-Amzn-SageMaker-Target-Model"]}
    return {"says": model.get("says"), "pid": os.getpid(), "threads": threading.active_count()}
