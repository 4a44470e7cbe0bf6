"""Where the time of our requests went, by the log lines `request`: docs/operations.md names their fields.

Used by load and profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Any

STAGES = ("queue", "decode", "predict", "encode")


def requests(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The fields of each answered request, status 200."""
    for line in lines:
        if b'"request"' not in line or b'"decode_ms"' not in line:
            continue
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # a line that is still being written
        if fields.get("status") == 200:
            yield fields


def read_stages(lines: Iterable[bytes]) -> dict[str, float]:
    """Mean milliseconds of each stage and of the rest of total_ms, the app's own; empty if no request is logged."""
    found = list(requests(lines))
    if not found:
        return {}
    means = {stage: fmean(each[f"{stage}_ms"] or 0.0 for each in found) for stage in STAGES}
    means["app"] = max(0.0, fmean(each["total_ms"] for each in found) - sum(means.values()))
    return {stage: round(mean, 4) for stage, mean in means.items()}
