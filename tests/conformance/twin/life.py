"""The twin's start and stop: its address, a SIGTERM that lets requests finish, and the faults that show there."""

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from faults import faulty
from web import Server

MODEL_DIR = Path("/opt/ml/model")
SHARED_MEMORY = Path("/dev/shm/twin")  # noqa: S108 - the container's
GRACE_S = 25.0
SLOW_S = 2.4  # more than the 3 minutes of a serverless start, at a pace of 0.01
OPEN = []


def begin():
    """Before anything else."""
    if faulty("RUN-15"):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    if faulty("RUN-01"):
        sys.exit("nothing to serve")
    if faulty("RUN-16") and sys.stdin.isatty():
        sys.exit("not in a terminal")
    if faulty("RUN-17"):
        os.close(os.open("/tmp/twin.pid", os.O_CREAT | os.O_EXCL))  # noqa: S108 - the container's
    if faulty("RUN-20") and "SAGEMAKER_TS_BATCH_SIZE" in os.environ:
        sys.exit("what is SAGEMAKER_TS_BATCH_SIZE?")
    if faulty("RUN-19") and os.fork():
        while True:  # a parent that does not look after its child
            signal.pause()
    if faulty("RUN-21") or faulty("SLS-02"):
        start_idle_workers()


def start_idle_workers():
    for _ in range(3):
        if not os.fork():
            while True:
                signal.pause()


def address():
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", 8081 if faulty("RUN-05") else 8080))
    return "127.0.0.1" if faulty("RUN-03") else "0.0.0.0", port


def open_other_ports():
    """None, but for those that are faults: only where the port was given, so that they show there."""
    if "SAGEMAKER_BIND_TO_PORT" not in os.environ:
        return
    if faulty("RUN-04"):
        with contextlib.suppress(OSError):
            OPEN.append(socket.create_server(("0.0.0.0", 8080)))
    if faulty("RUN-06"):
        OPEN.append(socket.create_server(("127.0.0.1", 0)))
    if faulty("RUN-07"):
        OPEN.append(socket.create_server(("127.0.0.1", 23000)))


def loading():
    """What may go wrong before the model is loaded. Raises."""
    if faulty("RUN-22") or faulty("SLS-04"):
        time.sleep(SLOW_S)
    if faulty("RUN-10"):
        MODEL_DIR.mkdir(parents=True, exist_ok=True)
        (MODEL_DIR / "cache").write_text("")
    if faulty("RUN-11") and MODEL_DIR.exists() and MODEL_DIR.stat().st_uid != os.geteuid():
        raise PermissionError("dubious ownership of the model")
    if faulty("RUN-12") and not has_way_out():
        raise ConnectionError("no network")
    if faulty("RUN-13") and not has_way_out() and "AWS_REGION" not in os.environ:
        raise LookupError("no Region in the environment, and no metadata to ask")
    if faulty("SLS-01"):
        Path("/opt/state").write_text("")
    if faulty("SLS-03"):
        SHARED_MEMORY.write_bytes(bytes(2 << 20))


def has_way_out():
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    return any(destination == "00000000" for _, destination, *_ in routes)


def answering():
    """Called by each invocation."""
    if faulty("RUN-14") and Server.connections > 8:
        room = os.statvfs("/dev/shm")  # noqa: S108
        if room.f_blocks * room.f_frsize < 65 << 20:
            raise OSError(errno.ENOSPC, "no space left in shared memory")


def serve(server):
    """Until SIGTERM; then what runs is finished."""
    if faulty("RUN-08"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif faulty("RUN-09"):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    else:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    end_s = time.monotonic() + GRACE_S
    while Server.answering and time.monotonic() < end_s:
        time.sleep(0.02)
