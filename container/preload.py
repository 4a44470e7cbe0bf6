"""Loads the model once, in gunicorn's master, so that workers are forks of it and share its memory.

Called by gunicorn_conf's hooks. Not every library survives a fork: threads do not, and locks stay as they were. So a
fork has to answer the manifest's sample first; if it cannot, the master starts again without the model, and each worker
loads its own.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from container.errors import StartupError
from container.lane import Lane
from container.manifest import read_manifest
from container.settings import SETTINGS, Settings
from container.status import LIBRARIES

log = logging.getLogger(__name__)

TEST_LIMIT_S = 10.0  # one sample; a fork that hangs must not hold the start up for long
PROGRAM_DIR = Path(__file__).absolute().parent.parent


def wanted(settings: Settings) -> bool:
    """Whether there is a sample that a fork could prove itself by."""
    try:
        manifest = read_manifest(settings.model_dir)
    except StartupError:  # the worker will say so
        return False
    return settings.preload and manifest is not None and manifest.sample is not None


def load(app: Any) -> None:
    """Load gunicorn's app here. Raises what loading raises; does not return if the model cannot be forked."""
    before = open_files()
    model = getattr(app.wsgi(), "model", None)
    opened = sorted(name for _, name in open_files() - before)
    reason = "there is no model" if model is None else obstacle(model, opened, TEST_LIMIT_S)
    if reason is not None:
        log.warning("preload_off", extra={"reason": reason})
        restart_without()
    gc.collect()
    gc.freeze()  # the collector would write into pages that are shared


def open_files() -> set[tuple[str, str]]:
    """Number and name of what forks would share the state of: a connection, a pipe, the position in a file.

    Not of files that are mapped, as large arrays are, nor of devices. Empty where /proc is not there.
    """
    found = set()
    with contextlib.suppress(FileNotFoundError):
        mapped = Path("/proc/self/maps").read_text()
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the one by which the folder was listed
                name = os.readlink(f"/proc/self/fd/{number}")
                if name not in mapped and not name.startswith("/dev/"):
                    found.add((number, name))
    return found


def obstacle(model: Any, opened: list[str], limit_s: float) -> str | None:
    """Why forks of this process could not serve the model, which opened these; None if one just did."""
    if opened:
        return f"{', '.join(opened)} is open after the load, and two workers would read each other's answers from it"
    if (others := threading.active_count() - 1) > 0:
        return f"{others} threads run after the load, which a fork would not have"
    return _ended(_fork(model), limit_s)


def restart_without() -> None:
    """Replace this process by one that does not preload: what was imported here may be broken in every fork."""
    os.environ[SETTINGS["preload"].variable] = "false"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command we were started by


def forget(app: Any, settings: Settings) -> None:
    """Let the next workers load code and model anew, each its own: gunicorn would give them what is here."""
    app.callable = None
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if _is_users(file, settings) and name.partition(".")[0] != "container":
            del sys.modules[name]


def _is_users(file: str, settings: Settings) -> bool:
    """Not of an installed package, which cannot be loaded twice; a checkout has those in a folder of its own."""
    folders = (PROGRAM_DIR, settings.model_dir)
    return any(Path(file).is_relative_to(folder) for folder in folders) and not file.startswith(LIBRARIES)


def _fork(model: Any) -> int:
    """The pid of a fork that answers the sample and ends with 0, or with 1 if that fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            logging.disable()  # what a worker says of its own start comes again from the workers
            model.start(Lane(queue_limit=1, watchdog_s=TEST_LIMIT_S))
            model.warm_up()
            code = 0
        finally:
            os._exit(code)
    return pid


def _ended(pid: int, limit_s: float) -> str | None:
    """Wait for the fork; why it did not do well."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return None if status == 0 else "a fork could not answer the sample"
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return f"a fork did not answer the sample within {limit_s:g} s"
