"""Python runs this first in every child of a test, whose PYTHONPATH has this folder (environment.py): the guard."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
import loopback  # type: ignore[import-not-found]

del sys.path[0]
loopback.guard.enforce()
