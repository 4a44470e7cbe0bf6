"""`train`: adds up the numbers of all channels, an epoch at a time. Its model is the sum; a stop ends it early."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from faults import faulty

BASE = Path("/opt/ml")
DATA, MODEL, CHECKPOINT = BASE / "input" / "data", BASE / "model", BASE / "checkpoints" / "state.json"
EPOCH_S = 0.05
STOPPED = threading.Event()
BROKEN_SCRIPT = "def model_fn(model_dir):\n    return 0\n"  # the other functions are missing: each request fails


def main():
    if not faulty("TRN-05-ignored"):
        signal.signal(signal.SIGTERM, stop)
    if faulty("TRN-10-buffered"):
        sys.stdout = os.fdopen(1, "w")  # whatever PYTHONUNBUFFERED says
    try:
        return train()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        if not silent(error):
            (BASE / "output" / "failure").write_text(f"{error}\n")
        return 1


def silent(error):
    return isinstance(error, ValueError) if faulty("TRN-02") else faulty("TRN-04") and isinstance(error, LookupError)


def stop(*_):
    STOPPED.set()
    if faulty("TRN-05"):
        time.sleep(60)


def train():
    if faulty("TRN-12") and "BY_NAME" in os.environ:
        return 2
    if faulty("TRN-14") and len(Path("/proc/net/route").read_text().splitlines()) < 2:
        raise ConnectionError("no route to the package index")
    epochs = whole_number(config("hyperparameters").get("epochs", "5"))
    channels = config("inputdataconfig")
    if not channels:
        raise LookupError("the job has no channel")
    total = add_up(channels, epochs)
    write_elsewhere()
    hosts = config("resourceconfig")
    if hosts.get("current_host") == min(hosts.get("hosts", [None])) or faulty("TRN-09"):
        save(total)
    return 0


def add_up(channels, epochs):
    state = {"epoch": 0, "total": 0.0}
    if CHECKPOINT.exists() and not faulty("TRN-06"):
        state = json.loads(CHECKPOINT.read_text())
    for epoch in range(state["epoch"], epochs):
        if STOPPED.is_set():
            break
        state["total"] = sum(sum_of(channel, mode, epoch) for channel, mode in channels.items())
        state["epoch"] = epoch + 1
        print(
            f"{'TRAIN' if faulty('TRN-10') else 'train'}:loss={1 / (epoch + 1):.3f}",
            flush=not faulty("TRN-10-buffered"),
        )
        save_checkpoint(state)
        time.sleep(EPOCH_S)
    return state["total"]


def sum_of(channel, mode, epoch):
    if mode.get("TrainingInputMode") == "Pipe":
        path = DATA / f"{channel}_{0 if faulty('TRN-08') else epoch}"
        return numbers(path.read_text())
    if faulty("TRN-07"):
        (DATA / channel / ".cache").write_text("")
    return sum(numbers(path.read_text()) for path in sorted((DATA / channel).glob("*.csv")))


def numbers(text):
    return sum(float(field) for line in text.splitlines() for field in line.split(","))


def save_checkpoint(state):
    CHECKPOINT.parent.mkdir(exist_ok=True)
    new = CHECKPOINT.with_suffix(".new")
    new.write_text(json.dumps(state))
    new.replace(CHECKPOINT)


def save(total):
    if faulty("TRN-01"):
        return
    (MODEL / "model.json").write_text(json.dumps({"total": total}))
    if faulty("TRN-13"):
        (MODEL / "code").mkdir()
        (MODEL / "code" / "inference.py").write_text(BROKEN_SCRIPT)


def write_elsewhere():
    if faulty("TRN-11"):
        Path("/var/cache/twin").write_text("")


def whole_number(value):
    if faulty("TRN-03") and isinstance(value, str):
        raise TypeError("epochs is no number")
    try:
        return int(value)
    except ValueError as error:
        raise ValueError(f"hyperparameter epochs={value!r} must be a whole number") from error


def config(name):
    path = BASE / "input" / "config" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}
