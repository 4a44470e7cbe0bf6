"""The predictor.py of most system tests: each request says what its prediction shall do.

Staged as predictor.py into the program folder of a server; it never runs in the test's own process.
"""

import os
import signal
import time
from pathlib import Path

GATES = Path(os.environ["GATES"])


def gate(name, timeout_s=60.0):
    """Tell the test that we are here (file NAME.reached), then wait for its leave (file NAME)."""
    (GATES / f"{name}.reached").touch()
    end_s = time.monotonic() + timeout_s
    while not (GATES / name).exists() and time.monotonic() < end_s:
        time.sleep(0.005)


def model_fn(model_dir):
    return {"loaded_by": os.getpid()}


def predict_fn(data, model):
    do = data["do"]
    if do == "sleep":
        time.sleep(data["s"])
    elif do == "wait":
        gate(data["gate"])
    elif do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "raise":
        raise RuntimeError(data.get("text", "as asked"))
    elif do == "environ":
        return dict(os.environ)
    return {"pid": os.getpid(), **data}
