"""Runs assertions one after the other, or beside, and says how each came out. Called by command, and by tests."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from local_test.conformance import claims
from local_test.conformance.assertion import Assertion, Broken, Check, Level, NotApplicable, Untestable
from local_test.conformance.bench import Bench, Options
from local_test.conformance.beside import Beside
from local_test.conformance.deadline import Overdue, deadline
from local_test.conformance.engine import ENGINE_ERRORS, EngineFault
from local_test.conformance.server import INVOCATION_LIMIT_S
from local_test.conformance.subjects import Subject
from local_test.conformance.wire import NoAnswer

SEEN_CHARACTERS = 2000
SLOW_FACTOR = 3  # of a check's limit, for those that are marked slow
OVERDUE = "the check was stopped: it had not come to an end after {:.0f} s"
STARTS = 4  # that a check may wait for
LATER_START_LIMIT_S = 60.0
WAITS = 2  # for an answer, in vain, after which one is not waited for as long again
LATER_ANSWER_LIMIT_S = 10.0


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
    """What was measured, what was wrong, or why it was not tested. One line of printable characters."""
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


class Progress:
    """Is told how a run goes. This one keeps it to itself."""

    def starts(self) -> None:
        """The container is started for the first time, to find out what it is for."""

    def begins(self, assertion: Assertion) -> None:
        """Its check begins."""

    def ends(self, result: Result) -> None:
        """It has come out so."""


def run(
    subject: Subject, options: Options, assertions: Iterable[Assertion], progress: Progress | None = None
) -> Report:
    """Run them in the given order; those that mostly wait begin first, beside the others, and are asked for last.

    Everything that was started has ended when this returns or raises.
    """
    began_s = time.monotonic()
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    progress, assertions = progress or Progress(), list(assertions)
    bench = Bench(subject, options)
    results: dict[int, Result] = {}
    try:
        progress.starts()
        _find_claims(bench)
        waiting = [place for place, each in enumerate(assertions) if each.waits and subject.starts_more]
        beside = {place: Beside(assertions[place], bench, judge) for place in waiting}
        for place in sorted(range(len(assertions)), key=beside.__contains__):
            assertion = assertions[place]
            progress.begins(assertion)
            late = time.monotonic() - began_s > options.run_limit_s
            if place in beside:
                result = _awaited(beside[place], assertion, bench)
            else:
                result = _too_late(assertion, bench) if late else judge(assertion, bench)
            results[place] = result
            if sum(map(_waited_in_vain, results.values())) == WAITS:
                bench.hurry(LATER_ANSWER_LIMIT_S)
            progress.ends(result)
    finally:
        bench.close()
    names = tuple(sorted(claim.value for claim in bench.claims))
    in_order = tuple(results[place] for place in range(len(assertions)))
    return Report(printable(subject.name), names, in_order, time.monotonic() - began_s, started)


def judge(assertion: Assertion, bench: Bench) -> Result:
    """The outcome of one assertion. Raises nothing but what stops the whole run."""
    began_s = time.monotonic()
    bench.timings = {}
    outcome, seen = _outcome(assertion, bench)
    seconds = time.monotonic() - began_s
    text = printable(seen + _note(bench, outcome, seconds))
    return Result(assertion, assertion.level_for(bench.claims), outcome, text, seconds, bench.timings)


def _awaited(beside: Beside[Result], assertion: Assertion, bench: Bench) -> Result:
    """The end of a check that was begun before."""
    limit_s = _limit_s(bench, SLOW_FACTOR)
    return beside.result(limit_s) or Result(
        assertion, assertion.level_for(bench.claims), Outcome.NOT_TESTED, OVERDUE.format(limit_s), limit_s
    )


def printable(text: str) -> str:
    """One line, not too long, of characters that do nothing to a terminal or an XML parser."""
    line = " ".join(text[: 2 * SEEN_CHARACTERS].split())
    safe = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
    return safe if len(safe) <= SEEN_CHARACTERS else safe[: SEEN_CHARACTERS - 3] + "..."


def _find_claims(bench: Bench) -> None:
    """What it is for. One that did not start in time is not waited for as long again by each check."""
    try:
        with deadline(_limit_s(bench, 1)):
            bench.claims = claims.find(bench)
    except Overdue:
        bench.claims = bench.options.claims | claims.by_label(bench.subject.labels)
    try:
        bench.server()
    except Untestable:
        limit_s = min(bench.options.start_limit_s, LATER_START_LIMIT_S)
        bench.options, bench.ready_s = replace(bench.options, start_limit_s=limit_s), limit_s


def _waited_in_vain(result: Result) -> bool:
    """Whether it failed after as long as an answer may take: a server that hangs would make a run take an hour."""
    failed = result.outcome is Outcome.FAILED and not result.assertion.slow
    return failed and result.seconds > 0.9 * INVOCATION_LIMIT_S


def _limit_s(bench: Bench, factor: int) -> float:
    return factor * bench.options.check_limit_s + STARTS * bench.ready_s


def _note(bench: Bench, outcome: Outcome, seconds: float) -> str:
    """What the reader must know of a failure: that an answer was waited for less than the platform does."""
    limit_s = bench.answer_limit_s
    waited_less = 0.9 * limit_s <= seconds < 0.9 * INVOCATION_LIMIT_S
    if outcome is not Outcome.FAILED or limit_s >= INVOCATION_LIMIT_S or not waited_less:
        return ""
    return f" (waits {limit_s:g} s at most, since {WAITS} checks before have waited {INVOCATION_LIMIT_S:g} s in vain)"


def _too_late(assertion: Assertion, bench: Bench) -> Result:
    reason = f"the run has taken more than {bench.options.run_limit_s / 60:g} minutes: see --time-limit"
    return Result(assertion, assertion.level_for(bench.claims), Outcome.NOT_TESTED, reason)


def _outcome(assertion: Assertion, bench: Bench) -> tuple[Outcome, str]:
    if assertion.claim is not None and assertion.claim not in bench.claims:
        return Outcome.NOT_APPLICABLE, f"it does not claim {assertion.claim.value}"
    if assertion.check is None:
        return Outcome.NOT_TESTED, assertion.untestable
    if assertion.slow and bench.options.fast:
        return Outcome.NOT_TESTED, "takes long: left out by --fast"
    return _checked(assertion, assertion.check, bench)


def _checked(assertion: Assertion, check: Check, bench: Bench) -> tuple[Outcome, str]:
    limit_s = _limit_s(bench, SLOW_FACTOR if assertion.slow else 1)
    try:
        with deadline(limit_s):
            return Outcome.HELD, check(bench) or ""
    except Overdue:
        return Outcome.NOT_TESTED, OVERDUE.format(limit_s)
    except (Broken, NoAnswer) as broken:
        return Outcome.NOT_TESTED if assertion.level is Level.INFORMATIVE else Outcome.FAILED, str(broken)
    except NotApplicable as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    except (Untestable, EngineFault) as reason:
        return Outcome.NOT_TESTED, str(reason)
    except ENGINE_ERRORS as error:
        return Outcome.NOT_TESTED, f"the Docker engine failed: {error}"
    except Exception as error:
        # The checker's own fault must not pass for the container's, nor end the run.
        traceback.print_exception(error)
        return Outcome.NOT_TESTED, f"the checker itself failed: {type(error).__name__}: {error}"
