"""How a check's end becomes an outcome, whatever it is; and that a run ends, on checks that do not."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import docker.errors
import pytest
import requests.exceptions

from local_test.conformance import runner
from local_test.conformance.assertion import Assertion, Broken, Claim, Level, NotApplicable, Untestable
from local_test.conformance.bench import Bench, Options
from local_test.conformance.deadline import Overdue, deadline
from local_test.conformance.engine import EngineFault
from local_test.conformance.runner import Outcome, Progress, Report, Result, printable, run
from local_test.conformance.server import Server
from local_test.conformance.subjects import Image
from local_test.conformance.wire import Answer, NoAnswer

QUICK = {"check_limit_s": 0.4, "start_limit_s": 0.05}


class FakeServer(Server):
    """Answers /ping with 200 and all else with 404, without a network."""

    def __init__(self) -> None:
        self.started_s = time.monotonic()

    def request(self, *words: Any, **_: Any) -> Answer:
        return Answer(200 if "/ping" in words else 404, {}, b"", 0.001, 0.001)

    def ended(self) -> None:
        return None


class FakeSubject:
    """Is started without a container."""

    name = "fake \x1b[31m"
    starts_more = True
    labels: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.closed = 0

    def start(self, *_: Any, **__: Any) -> Server:
        return FakeServer()

    def image(self) -> Image:
        raise Untestable("no image")

    def close(self) -> None:
        self.closed += 1


def assertion(check: Callable[[Bench], str | None] | None, level: Level = Level.MUST, **more: Any) -> Assertion:
    return Assertion("PNG-01", level, "Something holds.", "DG:host", "otherwise", "fix", check=check, **more)


def judged(check: Callable[[Bench], str | None] | None, options: Options | None = None, **more: Any) -> Result:
    return run(FakeSubject(), options or Options(**QUICK), [assertion(check, **more)]).results[0]  # type: ignore[arg-type]


def raising(error: BaseException) -> Callable[[Bench], str | None]:
    def check(bench: Bench) -> str | None:
        raise error

    return check


@pytest.mark.parametrize(
    ("error", "outcome", "seen"),
    [
        (Broken("it is red"), Outcome.FAILED, "it is red"),
        (NoAnswer("no answer within 2 s"), Outcome.FAILED, "no answer within 2 s"),
        (NotApplicable("has no such thing"), Outcome.NOT_APPLICABLE, "has no such thing"),
        (Untestable("needs an image"), Outcome.NOT_TESTED, "needs an image"),
        (EngineFault("the container could not be made"), Outcome.NOT_TESTED, "the container could not be made"),
        (docker.errors.APIError("gone"), Outcome.NOT_TESTED, "the Docker engine failed: gone"),
        (requests.exceptions.ReadTimeout("60 s"), Outcome.NOT_TESTED, "the Docker engine failed: 60 s"),
        (ZeroDivisionError("by zero"), Outcome.NOT_TESTED, "the checker itself failed: ZeroDivisionError: by zero"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_check_raises_is_its_outcome(error: Exception, outcome: Outcome, seen: str) -> None:
    result = judged(raising(error))
    assert (result.outcome, result.seen) == (outcome, seen)


def test_what_a_check_returns_is_what_was_measured() -> None:
    result = judged(lambda bench: bench.time("answer", 0.5) or "3 ms")
    assert (result.outcome, result.seen, result.timings) == (Outcome.HELD, "3 ms", {"answer": [0.5]})


def test_an_informative_assertion_never_fails() -> None:
    assert judged(raising(Broken("MULTI_RECORD")), level=Level.INFORMATIVE).outcome is Outcome.NOT_TESTED


def test_what_is_not_claimed_does_not_apply() -> None:
    result = judged(lambda _: None, claim=Claim.SESSIONS)
    assert (result.outcome, result.seen) == (Outcome.NOT_APPLICABLE, "it does not claim sessions")


def test_a_claim_makes_a_must_of_a_should() -> None:
    options = Options(claims=frozenset({Claim.ISOLATION}), **QUICK)  # type: ignore[arg-type]
    result = judged(raising(Broken("x")), options, level=Level.SHOULD, must_if=Claim.ISOLATION)
    assert result.broken


def test_without_a_check_the_reason_is_told() -> None:
    assert judged(None, untestable="nobody can").seen == "nobody can"


def test_fast_leaves_out_what_is_slow() -> None:
    result = judged(raising(Broken("x")), Options(fast=True, **QUICK), slow=True)  # type: ignore[arg-type]
    assert (result.outcome, "--fast" in result.seen) == (Outcome.NOT_TESTED, True)


@pytest.mark.parametrize(
    "endless",
    [
        lambda _: time.sleep(60),
        lambda _: threading.Event().wait(60),
        lambda _: spin(),
        lambda _: swallow(),
    ],
    ids=["sleeps", "waits", "spins", "catches every Exception"],
)
def test_a_check_without_end_is_stopped_and_the_next_one_runs(endless: Callable[[Bench], None]) -> None:
    began_s = time.monotonic()
    options = Options(**QUICK)  # type: ignore[arg-type]
    report = run(FakeSubject(), options, [assertion(endless), assertion(lambda _: "after")])  # type: ignore[arg-type]
    assert [result.outcome for result in report.results] == [Outcome.NOT_TESTED, Outcome.HELD]
    assert "was stopped" in report.results[0].seen
    assert time.monotonic() - began_s < 5


def spin() -> None:
    while True:
        pass


def swallow() -> None:
    while True:
        try:
            time.sleep(0.01)
        except Exception:  # noqa: S112 - what a careless check does
            continue


def test_the_alarm_is_as_it_was_after_a_deadline() -> None:
    former = signal.getsignal(signal.SIGALRM)
    with deadline(60):
        pass
    with pytest.raises(Overdue), deadline(0.01):
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is former
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_server_that_hangs_is_not_waited_for_as_long_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "INVOCATION_LIMIT_S", 0.2)
    monkeypatch.setattr(runner, "LATER_ANSWER_LIMIT_S", 0.1)

    def hangs(bench: Bench) -> None:
        time.sleep(min(0.2, bench.server().answer_limit_s))
        raise NoAnswer("no answer")

    def at_once(bench: Bench) -> None:
        raise Broken("no label")

    checks = [assertion(check) for check in (hangs, hangs, hangs, at_once)]
    report = run(FakeSubject(), Options(start_limit_s=0.05), checks)
    assert [result.seconds > 0.15 for result in report.results] == [True, True, False, False]
    note = "no answer (waits 0.1 s at most, since 2 checks before have waited 0.2 s in vain)"
    assert [result.seen for result in report.results] == ["no answer", "no answer", note, "no label"]


def test_past_the_runs_limit_nothing_more_is_begun() -> None:
    options = Options(run_limit_s=0.0, **QUICK)  # type: ignore[arg-type]
    result = judged(raising(AssertionError("ran")), options)
    assert (result.outcome, "--time-limit" in result.seen) == (Outcome.NOT_TESTED, True)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), Overdue(), SystemExit(1)], ids=lambda error: type(error).__name__
)
def test_what_was_started_has_ended_however_a_run_does(error: BaseException) -> None:
    class Stops(Progress):
        def ends(self, *_: Result) -> None:
            raise error

    subject = FakeSubject()
    with pytest.raises(type(error)):
        run(subject, Options(**QUICK), [assertion(lambda _: None)], Stops())  # type: ignore[arg-type]
    assert subject.closed


def test_progress_hears_of_the_start_and_of_each_assertion() -> None:
    heard: list[object] = []

    class Listens(Progress):
        def starts(self) -> None:
            heard.append("starts")

        def begins(self, assertion: Assertion) -> None:
            heard.append(assertion.id)

        def ends(self, result: Result) -> None:
            heard.append(result.outcome)

    run(FakeSubject(), Options(**QUICK), [assertion(lambda _: None)], Listens())  # type: ignore[arg-type]
    assert heard == ["starts", "PNG-01", Outcome.HELD]


def test_a_subjects_name_is_made_printable() -> None:
    assert run(FakeSubject(), Options(**QUICK), []).subject == "fake \\x1b[31m"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\n  lines\t", "two lines"),
        ("\x1b[31m \x00 \x7f", "\\x1b[31m \\x00 \\x7f"),
        ("\u202eolleh \ud800 \ufffe", "\\u202eolleh \\ud800 \\ufffe"),
        ("häßlich \U0001f600", "häßlich \U0001f600"),
    ],
)
def test_what_was_seen_becomes_one_harmless_line(text: str, line: str) -> None:
    assert printable(text) == line


def test_what_was_seen_is_cut() -> None:
    assert len(printable("\x00" * 10**7)) == 2000


def report_of(*outcomes: tuple[Level, Outcome]) -> Report:
    results = tuple(Result(assertion(None, level), level, outcome) for level, outcome in outcomes)
    return Report("x", (), results, 0.0, "")


@pytest.mark.parametrize(
    ("level", "outcome", "conforms", "strictly"),
    [
        (Level.MUST, Outcome.FAILED, False, False),
        (Level.SHOULD, Outcome.FAILED, True, False),
        (Level.MUST, Outcome.NOT_TESTED, True, True),
        (Level.MUST, Outcome.NOT_APPLICABLE, True, True),
    ],
)
def test_a_broken_m_does_not_conform_nor_a_broken_s_if_strict(
    level: Level, outcome: Outcome, conforms: bool, strictly: bool
) -> None:
    report = report_of((Level.MUST, Outcome.HELD), (level, outcome))
    assert (report.conforms(), report.conforms(strict=True)) == (conforms, strictly)
