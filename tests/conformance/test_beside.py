"""Checks that mostly wait run beside the others, so that the minutes of several pass at once."""

from __future__ import annotations

import threading

import pytest

from local_test.conformance import runner
from local_test.conformance.bench import Bench, Options
from local_test.conformance.runner import Outcome, run
from tests.conformance.test_runner import QUICK, FakeSubject, assertion


def test_a_check_that_waits_does_so_beside_the_others_on_a_bench_of_its_own() -> None:
    """It begins before them, and stands in its place in the report."""
    begun, benches = threading.Event(), []

    def waits(bench: Bench) -> str:
        begun.set()
        benches.append(bench)
        bench.time("wait", 0.1)
        assert others_done.wait(5)
        return f"on {type(bench.server()).__name__}"

    def does_not(bench: Bench) -> str:
        assert begun.wait(5)
        benches.append(bench)
        others_done.set()
        return "beside it"

    others_done = threading.Event()
    checks = [assertion(waits, waits=True), assertion(does_not)]
    report = run(FakeSubject(), Options(start_limit_s=0.05), checks)
    assert [each.seen for each in report.results] == ["on FakeServer", "beside it"]
    assert [each.timings for each in report.results] == [{"wait": [0.1]}, {}]
    assert benches[0] is not benches[1]


def test_one_that_waits_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SLOW_FACTOR", 1)
    endless = assertion(lambda _: threading.Event().wait(60) and "", waits=True)
    result = run(FakeSubject(), Options(**QUICK), [endless]).results[0]  # type: ignore[arg-type]
    assert (result.outcome, "had not come to an end" in result.seen) == (Outcome.NOT_TESTED, True)


def test_where_only_one_server_is_it_waits_in_its_turn() -> None:
    subject, seen = FakeSubject(), []
    subject.starts_more = False
    checks = [assertion(lambda bench: seen.append(bench), waits=True), assertion(lambda bench: seen.append(bench))]
    run(subject, Options(**QUICK), checks)  # type: ignore[arg-type, func-returns-value]
    assert seen[0] is seen[1]
