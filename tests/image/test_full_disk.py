"""A disk that is full, which takes a file system of its own: what still works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.image.container import Container
from tests.system.client import wait_until

Run = Callable[..., Container]
OPTIONS = ("--read-only", "--tmpfs=/tmp:size=8m", "--user", "12345:12345", "--cap-drop", "ALL")
PROFILE = {"SERVING_PROFILE": "asynchronous", "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
BYTES = {"Content-Type": "application/octet-stream"}
PIECE = bytes(1_000_000)


def test_a_full_disk_refuses_large_bodies_and_nothing_else(run: Run, obedient_dir: Path) -> None:
    """1. Bodies are larger than the disk.  2. The disk is full, and the worker dies.
    Result: 507 that says what to change; small requests are answered, by a new worker too; /ping stays true."""
    container = run(model_dir=obedient_dir, env=PROFILE, options=OPTIONS)
    container.wait_ready()
    for body in (PIECE * 16, iter([PIECE] * 16)):
        reply = container.request("POST", "/invocations", body, BYTES)
        assert (reply.status, "SERVING_RUN_DIR" in reply.json()["detail"]) == (507, True)
    container.execute("sh", "-c", "cat /dev/zero > /tmp/fill || true")
    killed = container.invoke({}).json()["pid"]
    container.execute("sh", "-c", f"kill -9 {killed}")
    wait_until(lambda: container.invoke({}).status == 200, 30, "another worker answers")
    assert container.invoke({}).json()["pid"] != killed
    assert len(container.log_events("settings")) == 1, "the supervisor is the same"
    container.execute("sh", "-c", "rm /tmp/fill")
    assert container.request("POST", "/invocations", PIECE * 2, BYTES).body == PIECE * 2
