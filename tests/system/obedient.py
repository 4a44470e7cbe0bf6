"""The predictor.py of most system tests: each request says what its prediction shall do.

Staged into the program folder of a server, as predictor.py; it never runs in the test's own process.
LOAD_GATE and LOAD_S in the environment make model_fn wait.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

GATES = Path(os.environ["GATES"])
KEPT = []


def gate(name, timeout_s=60.0):
    """Tell the test that we are here (file NAME.reached, with our pid), then wait for its leave (file NAME)."""
    told = GATES / f"{name}.{os.getpid()}"
    told.write_text(str(os.getpid()))
    told.rename(GATES / f"{name}.reached")
    end_s = time.monotonic() + timeout_s
    while not (GATES / name).exists() and time.monotonic() < end_s:
        time.sleep(0.005)


def model_fn(model_dir):
    if "LOAD_GATE" in os.environ:
        gate(os.environ["LOAD_GATE"])
    time.sleep(float(os.environ.get("LOAD_S", "0")))
    return {"loaded_by": os.getpid()}


def predict_fn(data, model):
    do = data["do"]
    if do == "sleep":
        time.sleep(data["s"])
    elif do == "wait":
        gate(data["gate"])
    elif do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "orphan":
        subprocess.Popen(["sh", "-c", "sleep 0.1 & exit 0"]).wait()
    elif do == "grow":
        KEPT.append(b"x" * (data["mb"] << 20))
    elif do == "raise":
        raise RuntimeError(data.get("text", "as asked"))
    elif do == "environ":
        return dict(os.environ)
    return {"pid": os.getpid(), **data}
