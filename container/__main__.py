"""The image's entry point: `docker run IMAGE serve`, `docker run IMAGE train`, or any other program.

Needs no execute bit, shebang or PATH, which get lost in zips and Windows checkouts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM_DIR = Path(__file__).absolute().parent.parent


def main(arguments: list[str]) -> int:
    """Run the word that SageMaker passes. Nothing means serve, as the platform's CMD override does."""
    command, *rest = arguments or ["serve"]
    if command == "serve":
        from container.supervisor import main as serve

        return serve()
    if command == "train":
        from container.training import run_program

        run_program(PROGRAM_DIR / "train", rest)
    try:
        os.execvp(command, [command, *rest])  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{command}: {error.strerror}. Give one of: serve, train, or a program in the image.\n")
        return 127


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
