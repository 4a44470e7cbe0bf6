"""Where the models, the bodies and the right answers lie that all servers share. Used by races and growth.

build/bench/assets/{m1,rf,ner}/ are artifacts as train writes them; payloads/ holds the bodies in every form;
expected.json the in-process predictions.
"""

from __future__ import annotations

import json
from typing import Any

from bench.environments import BUILD_DIR

ASSETS_DIR = BUILD_DIR / "assets"
PAYLOADS_DIR = ASSETS_DIR / "payloads"
EXPECTED = ASSETS_DIR / "expected.json"


def make() -> None:
    """Make all of it, unless it is there."""
    if EXPECTED.is_file():
        return
    from bench import models  # scikit-learn and spaCy: seconds that a second run need not spend

    PAYLOADS_DIR.mkdir(parents=True, exist_ok=True)
    EXPECTED.write_text(json.dumps({**models.make_tabular(), **models.make_entities()}))


def expected(artifact: str, payload: str) -> Any:
    """The right answer of an artifact to a payload."""
    return json.loads(EXPECTED.read_text())[artifact][payload]
