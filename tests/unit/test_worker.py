"""What a worker tells gunicorn and the supervisor while it starts."""

from __future__ import annotations

import time
from pathlib import Path

from gunicorn.config import Config
from gunicorn.workers.workertmp import WorkerTmp

from container import status
from container.settings import Settings
from container.worker import LoopWorker


def test_one_that_hangs_right_after_it_has_loaded_is_missed_as_soon_as_any(tmp_path: Path) -> None:
    """1. Its heartbeat is dated ahead, for the load.  2. It says that it is ready.  Result: now it must beat."""
    worker = LoopWorker.__new__(LoopWorker)
    worker.tmp, worker.settings = WorkerTmp(Config()), Settings(run_dir=tmp_path)
    reports = status.open_socket(tmp_path)
    worker._may_load_until(time.monotonic() + 600)
    worker._report_ready(0.1)
    assert worker.tmp.last_update() <= time.monotonic()
    assert [each["state"] for each in status.receive(reports)] == ["ready"]
