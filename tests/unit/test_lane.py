"""Who is predicted with whom: batches, what one request can do to the others of its batch, and who is left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.batching import key_of
from container.errors import DeadlineExceeded, Overloaded
from container.lane import Job, Lane, Ticket, Timings
from container.thread_lane import ThreadLane

PATIENCE_S = 10.0
FAR_S = 1e9


def lane_of(tickets: list[Ticket], max_batch_size: int = 8, **more: Any) -> Lane:
    lane = Lane(queue_limit=100, watchdog_s=1, max_batch_size=max_batch_size, **more)
    lane.start()
    for ticket in tickets:
        lane.enter(ticket)
    return lane


def ticket(rows: int = 1, key: Any = "k", deadline: float | None = None, call: Callable[[Any], Any] = list) -> Ticket:
    return Ticket(Job(call, ["x"] * rows, key, rows), monotonic() + FAR_S if deadline is None else deadline)


def test_a_batch_is_all_who_wait_in_their_order() -> None:
    tickets = [ticket() for _ in range(5)]
    assert lane_of(tickets).take() == tickets


def test_a_batch_has_no_more_rows_than_the_limit() -> None:
    tickets = [ticket(rows) for rows in (3, 4, 2, 1)]
    lane = lane_of(tickets, max_batch_size=8)
    assert lane.take() == [tickets[0], tickets[1], tickets[3]]  # the last fits where the third did not
    assert lane.take() == [tickets[2]]


def test_a_large_request_goes_alone_and_is_not_passed_over() -> None:
    small, large, later = ticket(1), ticket(1000), ticket(1)
    lane = lane_of([small, large, later])
    assert lane.take() == [small, later]
    assert lane.take() == [large]


def test_requests_that_differ_in_key_are_not_predicted_together() -> None:
    tickets = [ticket(key="a"), ticket(key="b"), ticket(key="a"), ticket(key=None), ticket(key=None)]
    lane = lane_of(tickets)
    assert [lane.take() for _ in range(4)] == [[tickets[0], tickets[2]], [tickets[1]], [tickets[3]], [tickets[4]]]


def test_a_limit_of_one_row_turns_batching_off() -> None:
    tickets = [ticket() for _ in range(2)]
    lane = lane_of(tickets, max_batch_size=1)
    assert [lane.take(), lane.take()] == [[tickets[0]], [tickets[1]]]


def test_who_waits_no_more_leaves_the_queue_unserved() -> None:
    late, live, also_late = ticket(deadline=0), ticket(), ticket(deadline=0)
    lane = lane_of([late, live, also_late])
    assert (lane.take(), lane.waiting) == ([live], 0)


def test_who_would_wait_longer_than_may_be_is_refused_at_once() -> None:
    """Two whole batches of 0.5 s wait: a third one would begin after a second."""
    lane = lane_of([ticket(8), ticket(5), ticket(3)], max_wait_s=0.9)
    lane.mean_call_s = 0.5
    assert lane.expected_wait_s() == 1.0
    with pytest.raises(Overloaded) as refused:
        lane.enter(ticket())
    assert refused.value.headers["Retry-After"] == "1"
    lane.take()
    lane.enter(ticket())


def test_a_job_that_goes_alone_counts_as_a_whole_call() -> None:
    lane = lane_of([ticket(key=None), ticket(1000), ticket(1)])
    lane.mean_call_s = 0.5
    assert lane.expected_wait_s() == 1.5
    while lane.take():
        pass
    assert lane.expected_wait_s() == 0


def test_the_first_call_does_not_count_for_what_others_may_expect() -> None:
    """It imports, compiles, allocates: a fifth of a warm-up of 30 s would be expected of every call."""
    lane = lane_of([])
    lane.run([ticket(call=lambda _data: time.sleep(0.01))])
    assert lane.mean_call_s == 0
    lane.run([ticket(call=lambda _data: time.sleep(0.01))])
    assert lane.mean_call_s >= 0.002


def test_nothing_waits_for_company_by_default() -> None:
    assert lane_of([ticket()]).delay_s() == 0


def test_a_batch_that_is_not_full_waits_for_its_delay_and_a_full_one_does_not() -> None:
    assert 0 < lane_of([ticket()], max_batch_delay_s=5).delay_s() <= 5
    assert lane_of([ticket(8)], max_batch_delay_s=5).delay_s() == 0
    assert lane_of([ticket(key=None)], max_batch_delay_s=5).delay_s() == 0, "no company could come"


def test_all_of_a_batch_are_predicted_in_one_call() -> None:
    calls: list[Any] = []

    def predict(texts: list[str]) -> list[str]:
        calls.append(texts)
        return [text.upper() for text in texts]

    tickets = [Ticket(Job(predict, data, "texts", len(data)), FAR_S) for data in (["a"], ["b", "c"])]
    Lane(queue_limit=1, watchdog_s=1).run(tickets)
    timings = Timings()
    assert [each.result(timings) for each in tickets] == [["A"], ["B", "C"]]
    assert (calls, timings.batch_rows) == ([["a", "b", "c"]], 3)


def test_only_the_guilty_request_of_a_poisoned_batch_fails(caplog: pytest.LogCaptureFixture) -> None:
    def predict(texts: list[str]) -> list[str]:
        if "poison" in texts:
            raise ValueError(texts)
        return texts

    tickets = [Ticket(Job(predict, [text], "texts"), FAR_S) for text in ("a", "poison", "b")]
    Lane(queue_limit=1, watchdog_s=1).run(tickets)
    assert [tickets[0].result(Timings()), tickets[2].result(Timings())] == [["a"], ["b"]]
    with pytest.raises(ValueError, match="poison"):
        tickets[1].result(Timings())
    assert [record.getMessage() for record in caplog.records] == ["batch_split"]


def test_answers_that_are_not_one_a_row_end_batching(caplog: pytest.LogCaptureFixture) -> None:
    """predict_fn that returns one dict a call: each request still gets what it would have got alone."""
    tickets = [ticket(call=lambda texts: {"texts": len(texts)}) for _ in range(3)]
    lane = lane_of([ticket() for _ in range(2)])
    lane.run(tickets)
    assert [each.result(Timings()) for each in tickets] == [{"texts": 1}] * 3
    assert len(lane.take()) == 1
    assert "batch_split" in caplog.text


def test_an_answer_that_is_not_one_a_row_alone_ends_batching_too() -> None:
    """One array an output, as of a forest with two: the answer to two callers of one row would be taken for theirs."""
    lane = lane_of([ticket(call=lambda texts: [texts, texts])])
    lane.run(lane.take())
    for _ in range(2):
        lane.enter(ticket())
    assert [len(lane.take()), len(lane.take())] == [1, 1]


def test_a_request_whose_time_is_over_is_not_tried_again_alone() -> None:
    calls: list[Any] = []

    def predict(texts: list[str]) -> list[str]:
        calls.append(texts)
        time.sleep(0.02)
        raise ValueError

    tickets = [Ticket(Job(predict, ["x"], "texts"), monotonic() + 0.01) for _ in range(2)]
    Lane(queue_limit=1, watchdog_s=1).run(tickets)
    assert calls == [["x", "x"]]
    with pytest.raises(DeadlineExceeded):
        tickets[0].result(Timings())


REQUESTS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["array", "wide", "error", "late"])), min_size=1, max_size=24
)


@settings(max_examples=60, deadline=None)
@given(requests=REQUESTS, max_batch_size=st.integers(1, 12), delay_s=st.sampled_from([0.0, 0.002]))
def test_every_caller_gets_its_own_rows(requests: list[tuple[int, str]], max_batch_size: int, delay_s: float) -> None:
    """Promise 7, for every mix of sizes, shapes, errors and deadlines."""
    lane = ThreadLane(
        threads=1, queue_limit=100, watchdog_s=9, max_batch_size=max_batch_size, max_batch_delay_s=delay_s
    )
    gate = threading.Event()
    lane.start()

    def predict(rows: np.ndarray) -> np.ndarray:
        gate.wait(PATIENCE_S)
        assert len(rows) <= max(max_batch_size, 5)
        if (rows < 0).any():
            raise ValueError("negative")
        return rows.sum(axis=1)

    def ask(number: int) -> Any:
        count, kind = requests[number]
        rows = np.full((count, 3 if kind == "wide" else 2), -1.0 if kind == "error" else float(number))
        deadline = monotonic() + (0.0 if kind == "late" else PATIENCE_S)
        return lane.submit(Job(predict, rows, key_of(rows), count), deadline, Timings()).tolist()

    with ThreadPoolExecutor(len(requests)) as callers:
        futures = [callers.submit(ask, number) for number in range(len(requests))]
        gate.set()
        answers = [outcome(future) for future in futures]
    lane.close(PATIENCE_S)
    assert answers == [wanted(number, *request) for number, request in enumerate(requests)]


def outcome(future: Future[Any]) -> Any:
    try:
        return future.result(PATIENCE_S)
    except (ValueError, DeadlineExceeded) as error:
        return type(error)


def wanted(number: int, count: int, kind: str) -> Any:
    failures = {"error": ValueError, "late": DeadlineExceeded}
    return failures.get(kind) or [float(number * (3 if kind == "wide" else 2))] * count


def test_requests_that_are_tried_one_by_one_are_a_call_each_for_the_watchdog() -> None:
    """Else one bad row among many would end the worker, with all that it has: each takes less than is allowed."""
    lane = Lane(queue_limit=100, watchdog_s=0.3, max_batch_size=8)
    lane.start()
    stuck: list[bool] = []

    def call(texts: list[str]) -> list[str]:
        if "bad" in texts:
            raise ValueError
        time.sleep(0.15)
        stuck.append(lane.stuck())
        return texts

    for text in ("bad", "a", "b", "c"):
        lane.enter(Ticket(Job(call, [text], "k", 1), monotonic() + FAR_S))
    lane.run(lane.take())
    assert stuck == [False, False, False]
    assert not lane.stuck()
