"""Where the models, the bodies and the right answers lie that all servers share. Used by races and growth.

build/bench/assets/{m1,rf,ner}/ are artifacts as train writes them; payloads/ holds the bodies in every form;
expected.json the in-process predictions.
"""

from __future__ import annotations

import fcntl
import json
from typing import Any

from bench.environments import BUILD_DIR

ASSETS_DIR = BUILD_DIR / "assets"
PAYLOADS_DIR = ASSETS_DIR / "payloads"
EXPECTED = ASSETS_DIR / "expected.json"


def make() -> None:
    """Make all of it, unless it is there. Whoever runs beside waits until it is."""
    PAYLOADS_DIR.mkdir(parents=True, exist_ok=True)
    with (ASSETS_DIR / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not EXPECTED.is_file():
            from bench import models  # scikit-learn and spaCy: seconds that a second run need not spend

            EXPECTED.write_text(json.dumps({**models.make_tabular(), **models.make_entities()}))


def expected(artifact: str, payload: str) -> Any:
    """The right answer of an artifact to a payload."""
    return json.loads(EXPECTED.read_text())[artifact][payload]
