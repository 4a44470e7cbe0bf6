"""The failure file: why a training job failed, so that the console's one line is enough to act on.

Written by training. SageMaker shows its first 1,024 characters as the job's FailureReason:
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
"""

from __future__ import annotations

import logging
import sysconfig
import traceback
from pathlib import Path

from container.errors import StartupError

log = logging.getLogger(__name__)

HEAD_CHARS = 1024
MESSAGE_CHARS = 600  # leaves room in the head for the place and the hint
PLACE_CHARS = 160

HINTS: dict[type[BaseException], str] = {
    ModuleNotFoundError: "add the package to requirements.txt, lock it (make lock) and build the image again",
    MemoryError: "read the data in parts, or choose an instance type with more memory",
    PermissionError: "write only below job.model_dir, job.output_data_dir, job.checkpoint_dir or the temporary folder",
    FileNotFoundError: "the job's data is below job.channels['NAME'], one folder a channel",
}


class TrainingFailed(Exception):
    """train ended without a model, or asked to exit with an error code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def report(error: Exception, output_dir: Path) -> int:
    """Tell the log and the failure file; returns the exit code. A failure file of the user's own is kept."""
    code = error.exit_code if isinstance(error, TrainingFailed) else 1
    log.error("training_failed", exc_info=error, extra={"reason": headline(error), "exit_code": code})
    try:
        with (output_dir / "failure").open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(failure_text(error))
    except FileExistsError:
        pass
    except OSError as unwritable:
        log.error("failure_file_not_written", extra={"reason": str(unwritable)})
    return code


def failure_text(error: BaseException) -> str:
    """What happened, where in the user's code and a hint, all in the first HEAD_CHARS; then the traceback."""
    return headline(error) + "\n\n" + "".join(traceback.format_exception(error))


def headline(error: BaseException) -> str:
    """Three short lines at most: the exception, its place, a hint."""
    is_ours = isinstance(error, (StartupError, TrainingFailed))  # their message says it all
    message = str(error) if is_ours else "".join(traceback.format_exception_only(error)).strip()
    where = "" if is_ours else place(error)
    lines = [message if len(message) <= MESSAGE_CHARS else message[:MESSAGE_CHARS] + " …"]
    lines += [f"at {where[:PLACE_CHARS]}"] if where else []
    lines += [f"hint: {hint}" for kind, hint in HINTS.items() if isinstance(error, kind)]
    return "\n".join(lines)


def place(error: BaseException) -> str:
    """The innermost line of the user's own code: `train:42 in read_table`. Empty if there is none."""
    libraries = (str(Path(__file__).parent), *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*libraries, "<"))
    ]
    return frames[-1] if frames else ""
