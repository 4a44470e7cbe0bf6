"""The run of training that most checks look at, made once: with all restrictions of the platform, else without any.

What stops only the narrow run is found by running with each restriction alone. Used by checks of training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from local_test.conformance.assertion import Broken, Untestable
from local_test.conformance.bench import Bench
from local_test.conformance.training import Finished, Job, Plan

KEPT = "training"
NO_DATA = "training without data fails; give what it needs: --channel NAME=FOLDER, --hyperparameter NAME=VALUE"
NO_TRAINING = "it does not train: TRN-01 says why"
SHORTEST_LIMIT_S = 60.0


@dataclass(frozen=True)
class Base:
    """A run that trained."""

    plan: Plan
    """What it got; the runs of other checks get the same, but for what they look at."""
    finished: Finished
    new_files: tuple[str, ...]
    """Left under /opt/ml where no output belongs."""


def first_run(bench: Bench) -> Base:
    """The run that trained. Raises Broken if none does, Untestable if it may be for want of data."""
    if KEPT not in bench.kept:
        bench.kept[KEPT] = _first_run(bench)
    kept = bench.kept[KEPT]
    if isinstance(kept, Exception):
        raise kept
    assert isinstance(kept, Base)  # noqa: S101 - nobody else uses this name
    return kept


def trained(bench: Bench) -> Base:
    """The run that trained, for those checks that have nothing to look at without one. Raises Untestable."""
    try:
        return first_run(bench)
    except Broken as error:
        raise Untestable(NO_TRAINING) from error


def limit_s(bench: Bench) -> float:
    """How long a run like the first one may take."""
    usual_s = trained(bench).finished.seconds
    return min(bench.options.start_limit_s, max(4 * usual_s, bench.paced(SHORTEST_LIMIT_S)))


def bears(bench: Bench, **restriction: Any) -> None:
    """Raise Broken if it does not train under this restriction, which was one of the narrow run's."""
    if trained(bench).plan == _narrow(bench):
        return
    finished = _run(bench, replace(_wide(bench), **restriction), limit_s(bench)).finished
    if not finished.trained:
        raise Broken(str(finished))


def _first_run(bench: Bench) -> Base | Broken | Untestable:
    """Broken and Untestable are kept too: why it does not train is found out once."""
    limit_s = bench.options.start_limit_s
    try:
        for wanted in (_narrow(bench), _wide(bench)):
            base = _run(bench, wanted, limit_s)
            if base.finished.trained:
                return base
    except (Broken, Untestable) as error:
        return error
    if not bench.options.channels:
        return Untestable(f"{NO_DATA} ({base.finished})")
    return Broken(str(base.finished))


def _run(bench: Bench, wanted: Plan, limit_s: float) -> Base:
    job = Job(bench, wanted)
    with job.start() as server:
        finished = job.finish(server, limit_s)
    return Base(wanted, finished, tuple(job.new_files()))


def _narrow(bench: Bench) -> Plan:
    """What the caller gives, with every restriction of the platform at once."""
    return Plan(bench.options.hyperparameters, bench.options.channels)


def _wide(bench: Bench) -> Plan:
    """Nothing that a program could ask for is withheld."""
    return replace(_narrow(bench), typed=True, writable=True, network="")
