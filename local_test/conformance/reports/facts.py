"""What every format of the report says: the verdict, the counts, the groups, what could not be tested and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from local_test.conformance.assertion import Level
from local_test.conformance.catalogue import GROUP_NAMES
from local_test.conformance.pains import TITLES
from local_test.conformance.runner import Outcome, Report, Result

LEVEL_NAMES = {Level.MUST: "must (M)", Level.SHOULD: "should (S)", Level.INFORMATIVE: "noted (I)"}


@dataclass(frozen=True)
class Part:
    """The results of one group."""

    group: str
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        return GROUP_NAMES[self.group]

    @property
    def only_reason(self) -> str:
        """Why the whole group does not apply, if it is one reason; else empty."""
        reasons = {result.seen for result in self.results}
        outcomes = {result.outcome for result in self.results}
        return reasons.pop() if outcomes == {Outcome.NOT_APPLICABLE} and len(reasons) == 1 else ""

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)

    @property
    def counts(self) -> str:
        """3 held, 1 failed."""
        return ", ".join(f"{count} {outcome}" for outcome in Outcome if (count := self.count(outcome)))


def parts(report: Report) -> list[Part]:
    """The groups, in the contract's order."""
    by_group = groupby(report.results, lambda result: result.assertion.group)
    return [Part(group, tuple(results)) for group, results in by_group]


def failed(report: Report) -> list[Result]:
    """What does not hold, M first."""
    broken = [result for result in report.results if result.outcome is Outcome.FAILED]
    return sorted(broken, key=lambda result: result.level is not Level.MUST)


def counts(report: Report, level: Level) -> dict[Outcome, int]:
    """How the assertions of a level came out."""
    outcomes = [result.outcome for result in report.results if result.level is level]
    return {outcome: outcomes.count(outcome) for outcome in Outcome}


def verdict(report: Report, *, strict: bool = False) -> str:
    """One sentence."""
    levels = (Level.MUST, Level.SHOULD) if strict else (Level.MUST,)
    tested = sum(counts(report, level)[each] for level in levels for each in (Outcome.HELD, Outcome.FAILED))
    broken = sum(counts(report, level)[Outcome.FAILED] for level in levels)
    kinds = "M and S" if strict else "M"
    if not tested:
        return f"Nothing is known of {report.subject}: no {kinds} could be tested."
    if broken:
        return f"{report.subject} does not keep the contract: {broken} of {tested} {kinds} do not hold."
    return f"{report.subject} keeps the contract: all {tested} {kinds} that were tested hold."


def untested(report: Report) -> dict[str, list[str]]:
    """Why an M could not be tested, and the ids of those; the most frequent reason first."""
    reasons: dict[str, list[str]] = {}
    for result in report.results:
        if result.outcome is Outcome.NOT_TESTED and result.level is Level.MUST:
            reasons.setdefault(result.seen, []).append(result.assertion.id)
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))


def pains(result: Result) -> dict[int, str]:
    """The known complaints behind it: number and title."""
    return {number: TITLES.get(number, "") for number in result.assertion.pains}


def timings(results: Iterable[Result]) -> list[tuple[Result, str, list[float]]]:
    """What was measured: of which result, what, and the seconds."""
    return [(each, label, seconds) for each in results for label, seconds in each.timings.items() if seconds]
