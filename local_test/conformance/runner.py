"""Runs assertions one after the other and says how each came out. Called by __main__, and by tests in-process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from local_test.conformance import claims
from local_test.conformance.assertion import Assertion, Broken, Level, NotApplicable, Untestable
from local_test.conformance.bench import Bench, Options
from local_test.conformance.engine import EngineFault
from local_test.conformance.subjects import Subject
from local_test.conformance.wire import NoAnswer


class Outcome(StrEnum):
    """How an assertion came out."""

    HELD = "held"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Result:
    """One assertion's outcome."""

    assertion: Assertion
    level: Level
    outcome: Outcome
    seen: str = ""
    """What was measured, what was wrong, or why it was not tested."""
    seconds: float = 0.0
    timings: dict[str, list[float]] = field(default_factory=dict)

    @property
    def broken(self) -> bool:
        """Whether a MUST is broken."""
        return self.outcome is Outcome.FAILED and self.level is Level.MUST


@dataclass(frozen=True)
class Report:
    """All results of one run."""

    subject: str
    claims: tuple[str, ...]
    results: tuple[Result, ...]
    seconds: float
    started: str

    def conforms(self, *, strict: bool = False) -> bool:
        """Whether every M holds; every S too if strict."""
        levels = {Level.MUST, Level.SHOULD} if strict else {Level.MUST}
        return not any(result.outcome is Outcome.FAILED and result.level in levels for result in self.results)

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)


Progress = Callable[[Assertion, Result | None], None]
"""Called before each assertion, with None, and after it."""


def run(
    subject: Subject, options: Options, assertions: Iterable[Assertion], progress: Progress = lambda *_: None
) -> Report:
    """Run them in the given order. Everything that was started has ended when this returns or raises."""
    began_s = time.monotonic()
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    bench = Bench(subject, options)
    results = []
    try:
        bench.claims = claims.find(bench)
        for assertion in assertions:
            progress(assertion, None)
            results.append(judge(assertion, bench))
            progress(assertion, results[-1])
    finally:
        bench.close()
    names = tuple(sorted(claim.value for claim in bench.claims))
    return Report(subject.name, names, tuple(results), time.monotonic() - began_s, started)


def judge(assertion: Assertion, bench: Bench) -> Result:
    """The outcome of one assertion. Raises nothing but what stops the whole run."""
    began_s = time.monotonic()
    bench.timings = {}
    outcome, seen = _outcome(assertion, bench)
    return Result(
        assertion, assertion.level_for(bench.claims), outcome, seen, time.monotonic() - began_s, bench.timings
    )


def _outcome(assertion: Assertion, bench: Bench) -> tuple[Outcome, str]:
    if assertion.claim is not None and assertion.claim not in bench.claims:
        return Outcome.NOT_APPLICABLE, f"it does not claim {assertion.claim.value}"
    if assertion.check is None:
        return Outcome.NOT_TESTED, assertion.untestable
    if assertion.slow and bench.options.fast:
        return Outcome.NOT_TESTED, "takes long: left out by --fast"
    try:
        return Outcome.HELD, assertion.check(bench) or ""
    except (Broken, NoAnswer) as broken:
        return Outcome.NOT_TESTED if assertion.level is Level.INFORMATIVE else Outcome.FAILED, str(broken)
    except NotApplicable as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    except (Untestable, EngineFault) as reason:
        return Outcome.NOT_TESTED, str(reason)
    except Exception as error:
        # The checker's own fault must not pass for the container's, nor end the run.
        traceback.print_exception(error)
        return Outcome.NOT_TESTED, f"the checker itself failed: {type(error).__name__}: {error}"
