"""How much memory a model takes in a server of many, measured by loading it. Used by checks of MME."""

from __future__ import annotations

import time

from local_test.conformance.archives import MEGABYTE
from local_test.conformance.assertion import Untestable
from local_test.conformance.bench import Bench
from local_test.conformance.models import Model, Models, plain_model, probe_model

BALLAST_MB = 48
SEEN_MB = 8.0  # less is within what a server's memory moves by itself
SETTLE_S = 5.0
TOO_SMALL = f"one model takes %.0f MB in memory, too little to tell from noise: needs more than {SEEN_MB:g} MB"


def heavy_model(bench: Bench) -> Model:
    """One whose memory can be seen: the probe with ballast, or else the caller's."""
    try:
        return probe_model(bench, ballast_mb=BALLAST_MB)
    except Untestable:
        return plain_model(bench)


def cost_mb(models: Models, model: Model) -> tuple[float, float]:
    """Memory without the model, and what it adds, once others have been loaded. Raises Untestable if too little."""
    with models.loaded(model):
        pass  # what only the first load takes: imports, pools
    before_mb = memory_mb(models)
    with models.loaded(model):
        added_mb = memory_mb(models) - before_mb
    if added_mb < SEEN_MB:
        raise Untestable(TOO_SMALL % added_mb)
    return before_mb, added_mb


def memory_mb(models: Models) -> float:
    return models.server.memory_bytes() / MEGABYTE


def settled_mb(models: Models, enough_mb: float) -> float:
    """The memory now, or what it has come to within SETTLE_S if it is more than enough."""
    end_s = time.monotonic() + SETTLE_S
    while (found_mb := memory_mb(models)) > enough_mb and time.monotonic() < end_s:
        time.sleep(0.2)
    return found_mb
