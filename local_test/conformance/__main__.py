"""python -m local_test.conformance IMAGE: what a container keeps of the platform's contract.

Also runs by path, from any folder: python /path/to/local_test/conformance IMAGE
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent
OLDEST_PYTHON = (3, 11)
CANNOT_BEGIN = 2
INTERRUPTED = 130


def main() -> int:
    if sys.version_info < OLDEST_PYTHON:
        return _cannot_begin(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if not __package__:
        sys.path[0] = str(HERE.parent.parent)
    try:
        from local_test.conformance import command
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("local_test"):
            raise
        lock = HERE / "requirements.txt"
        return _cannot_begin(f"the package {error.name} is missing: {sys.executable} -m pip install -r {lock}")
    return command.main(sys.argv[1:], f"python -m {__package__}" if __package__ else f"python {sys.argv[0]}")


def _cannot_begin(reason: str) -> int:
    print(f"conformance: {reason}", file=sys.stderr)
    return CANNOT_BEGIN


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before command minds signals
        sys.exit(INTERRUPTED)
