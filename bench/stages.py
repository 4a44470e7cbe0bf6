"""Where the time of our requests went, by the log lines `request`: docs/operations.md names their fields.

Used by load and profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
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


def read_stages(lines: Iterable[bytes], whole_ms: float) -> dict[str, float]:
    """Mean milliseconds of each stage, and of the rest of a request that takes whole_ms; empty if none is logged.

    rest: nginx, gunicorn, app, sockets, client. total_ms says less of it: it begins with nginx's clock, whole
    milliseconds, which is more than a fast request takes.
    """
    found = list(requests(lines))
    if not found:
        return {}
    means = {stage: fmean(each[f"{stage}_ms"] or 0.0 for each in found) for stage in STAGES}
    means["rest"] = max(0.0, whole_ms - sum(means.values()))
    return {stage: round(mean, 4) for stage, mean in means.items()}


def whole_ms(connections: int, told: Mapping[str, int]) -> float:
    """The mean time of a request by wrk's counts: each connection always has one under way, so by Little's law."""
    return connections * told["took_us"] / 1000 / max(1, told["requests"])
