"""Runs the user's train function as a SageMaker training job: prepares the Job, sees to its end, exits.

`train` calls run(train) in its last line. The image's `train` command calls run_program, which runs that file and also
reports what fails before its last line, such as a missing package. Contract:
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import io
import logging
import mmap
import os
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from container import failure, logs, manifest
from container.errors import StartupError
from container.failure import TrainingFailed
from container.job import Job, load_job
from container.settings import Settings
from container.stopping import SigtermWatch, Stopped

__all__ = ["Job", "Stopped", "run", "run_program"]

log = logging.getLogger(__name__)

TrainFunction = Callable[[Job], object]

# A class by its module and name, as pickle protocol 4 and newer writes it, and as older ones do.
CLASS_OF_MAIN = re.compile(rb"\x8c\x08__main__\x94?(?:\x8c.)?(\w*)|c__main__\n(\w+)\n", re.DOTALL)

EXIT_STOPPED = 128 + signal.SIGTERM  # what a shell reports for a program that SIGTERM ended


def run(train: TrainFunction) -> NoReturn:
    """Train, and exit: 0 with a model, 1 after an exception, 143 when stopped before the model was complete."""
    raise SystemExit(execute(train, os.environ))


def run_program(path: Path, arguments: Sequence[str] = ()) -> NoReturn:
    """Run a train file as `python FILE` would, and report what fails in it before run(train)."""
    # PID 1 ignores a signal that it has no handler for, and until train runs there is nothing to save.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_STOPPED))
    output_dir = _prepare_output(os.environ)
    sys.argv[:] = [str(path), *arguments]
    sys.path.insert(0, str(path.parent))
    try:
        runpy.run_path(str(path), run_name="__main__")
        raise SystemExit(_ended_without_run(path))
    except Exception as error:
        raise SystemExit(failure.report(error, output_dir)) from None


def execute(train: TrainFunction, environ: MutableMapping[str, str]) -> int:
    """One training job, from reading its configuration to its last log line; returns the exit code."""
    output_dir = _prepare_output(environ)
    try:
        settings = Settings.from_environ(environ)
        logs.configure(settings.log_level)
        job = _with_folders(load_job(settings))
        environ.update(job.environment())  # written for the user's code; settings alone reads the environment
        log.info("training", extra={"hyperparameters": dict(job.hyperparameters), "channels": job.channels})
        return _train(train, job)
    except Exception as error:
        return failure.report(error, output_dir)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _train(train: TrainFunction, job: Job) -> int:
    """Call train under the watch for SIGTERM, then complete what it left in the model folder."""
    artifact, started = Artifact(job.model_dir), time.monotonic()
    with SigtermWatch(job.stopping, give_up=lambda: _give_up(artifact)) as watch:
        try:
            with watch.interrupting():
                _call(train, job)
            if job.stopping.is_set() and not artifact.model_files():
                return _stopped(artifact)
            written = artifact.complete()
            _warn_of_classes_of_main(job.model_dir, written)
        except Stopped:
            return _stopped(artifact)
        finally:
            if not job.is_leader:
                shutil.rmtree(job.model_dir, ignore_errors=True)
    elapsed_s = round(time.monotonic() - started, 3)
    log.info("trained", extra={"elapsed_s": elapsed_s, "files": list(written.files), "kept": job.is_leader})
    return 0


def _call(train: TrainFunction, job: Job) -> None:
    """Call train; its sys.exit() or sys.exit(0) is a return, any other a failure."""
    try:
        train(job)
    except SystemExit as end:
        if end.code not in (None, 0):
            code = end.code if isinstance(end.code, int) and 0 < end.code < 256 else 1
            raise TrainingFailed(f"train called sys.exit({end.code!r})", code) from end


class Artifact:
    """What this job, and no job before it, left in the model folder."""

    def __init__(self, model_dir: Path) -> None:
        self._dir = model_dir
        self._before = self._stamps()

    def model_files(self) -> list[str]:
        """The new or changed files, without the manifest."""
        return sorted(self._new() - {manifest.NAME})

    def is_complete(self) -> bool:
        """Whether save_manifest was called, and nothing was changed after it. A file alone may be half a file."""
        with suppress(StartupError):
            if (written := self._manifest()) and written.files:
                manifest.check_files(written, self._dir)
                return True
        return False

    def complete(self) -> manifest.Manifest:
        """Write the manifest of the files as they are now; what save_manifest was told is kept."""
        if not self.model_files():
            raise TrainingFailed(f"train wrote no file to job.model_dir ({self._dir}): save the model there")
        said = self._manifest() or manifest.Manifest()
        return manifest.write_manifest(
            self._dir, feature_names=said.feature_names, sample=said.sample, libraries=said.libraries
        )

    def _manifest(self) -> manifest.Manifest | None:
        return manifest.read_manifest(self._dir) if manifest.NAME in self._new() else None

    def _new(self) -> set[str]:
        return {name for name, stamp in self._stamps().items() if self._before.get(name) != stamp}

    def _stamps(self) -> dict[str, tuple[int, int]]:
        # Not the modification time, which copying may keep; the change time of the inode it cannot.
        files = {path: path.stat() for path in self._dir.rglob("*") if path.is_file()}
        return {str(path.relative_to(self._dir)): (stat.st_ino, stat.st_ctime_ns) for path, stat in files.items()}


def _warn_of_classes_of_main(model_dir: Path, written: manifest.Manifest) -> None:
    """A class defined in `train` is pickled as __main__.Name, which no server can load. The model is kept all the same.

    Compressed files are not looked into.
    """
    for name, entry in written.files.items():
        if entry["bytes"] and name.endswith((".joblib", ".pkl")):
            with (model_dir / name).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if found := CLASS_OF_MAIN.search(content):
                    class_name = (found[1] or found[2] or b"").decode(errors="replace")
                    change = f"define {class_name} in predictor.py and import it in train, else serve cannot load it"
                    log.warning("class_of_main_in_model", extra={"file": name, "change": change})


def _stopped(artifact: Artifact) -> int:
    """After SIGTERM: 0 if a complete model is there to be kept."""
    complete = artifact.is_complete()
    code = 0 if complete else EXIT_STOPPED
    log.warning("stopped", extra={"exit_code": code, "model_complete": complete, "files": artifact.model_files()})
    return code


def _give_up(artifact: Artifact) -> None:
    """Called in the watch's thread when train neither returned nor could be interrupted."""
    code = _stopped(artifact)
    sys.stdout.flush()
    os._exit(code)


def _ended_without_run(path: Path) -> int:
    """A train file in the old style does all by itself; that it left a model is all there is to check."""
    model_dir = Settings.from_environ().model_dir
    if not any(each.is_file() for each in model_dir.rglob("*")):
        raise TrainingFailed(f"{path.name} left no file in {model_dir}; is its last line: run(train)?")
    log.warning("train_without_run", extra={"bypasses": "failure file, manifest, stop signal, SM_ variables"})
    return 0


def _with_folders(job: Job) -> Job:
    """Make the folders that the job may write. A host that does not lead gets a model folder that nobody keeps."""
    if not job.is_leader:
        job = replace(job, model_dir=Path(tempfile.mkdtemp(prefix="model-not-kept-")))
    for folder in (job.model_dir, job.output_data_dir):
        folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # a read-only root, and no checkpoints asked for
        job.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    return job


def _prepare_output(environ: MutableMapping[str, str]) -> Path:
    """The output folder, known even if a setting is wrong; log lines and prints leave at once, also in children."""
    logs.configure(logging.INFO)
    environ.setdefault("PYTHONUNBUFFERED", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    base = {name: environ[name] for name in ("SAGEMAKER_BASE_DIR",) if name in environ}
    output_dir = Settings.from_environ(base).base_dir / "output"
    with suppress(OSError):  # it will be said when a file cannot be written
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / "failure").unlink(missing_ok=True)  # of an earlier run, on a developer's machine
    return output_dir
