"""The predict lane of threads: order, deadlines, shedding, and that no answer reaches another caller."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container import logs
from container.errors import DeadlineExceeded, Overloaded
from container.lane import Job, Timings
from container.thread_lane import ThreadLane as Lane

PATIENCE_S = 10.0


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane(threads=1, queue_limit=2, watchdog_s=0.05)
    lane.start()
    yield lane
    lane.close(PATIENCE_S)


class Blocker:
    """A call that holds the lane until it is told to end."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.end = threading.Event()

    def __call__(self) -> str:
        self.running.set()
        assert self.end.wait(PATIENCE_S)
        return "blocker"


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def blocker(background: ThreadPoolExecutor) -> Iterator[Blocker]:
    """Ends before the background threads do, which may wait for it."""
    blocker = Blocker()
    yield blocker
    blocker.end.set()


def job(call: Callable[[], Any]) -> Job:
    return Job(lambda _: call(), None)


def submit(lane: Lane, call: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    return lane.submit(job(call), monotonic() + within_s, Timings())


def wait_until(condition: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, "the condition never came true"
        time.sleep(0.001)


def test_a_call_returns_its_value(lane: Lane) -> None:
    assert submit(lane, lambda: 42) == 42


def test_a_lane_has_no_thread_before_start() -> None:
    """A process that has loaded its model must be able to fork: threads do not survive it."""
    before = threading.active_count()
    lane = Lane(threads=3, queue_limit=1, watchdog_s=1)
    assert threading.active_count() == before
    assert not lane.started


def test_a_call_before_start_is_refused_at_once() -> None:
    lane = Lane(threads=1, queue_limit=1, watchdog_s=1)
    with pytest.raises(RuntimeError, match=r"start\(\)"):
        submit(lane, lambda: None)


def test_one_thread_never_runs_two_calls_at_once(background: ThreadPoolExecutor) -> None:
    """Unknown models count as unsafe under threads."""
    lane = Lane(threads=1, queue_limit=64, watchdog_s=1)
    lane.start()
    inside, most = [0], [0]

    def call() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.001)
        inside[0] -= 1

    list(background.map(lambda _: submit(lane, call), range(24)))
    lane.close(PATIENCE_S)
    assert most == [1]


def test_two_threads_run_two_calls_at_once(background: ThreadPoolExecutor) -> None:
    lane = Lane(threads=2, queue_limit=4, watchdog_s=1)
    lane.start()
    both = threading.Barrier(2, timeout=PATIENCE_S)
    first, second = (background.submit(submit, lane, both.wait) for _ in range(2))
    assert {first.result(), second.result()} == {0, 1}
    lane.close(PATIENCE_S)


def test_the_caller_is_answered_at_the_deadline_although_the_call_still_runs(lane: Lane, blocker: Blocker) -> None:
    started = monotonic()
    with pytest.raises(DeadlineExceeded):
        submit(lane, blocker, within_s=0.05)
    assert 0.05 <= monotonic() - started < PATIENCE_S
    assert blocker.running.is_set()
    assert not blocker.end.is_set()


def test_a_result_that_comes_too_late_reaches_no_one_else(lane: Lane, blocker: Blocker) -> None:
    with pytest.raises(DeadlineExceeded):
        submit(lane, blocker, within_s=0.02)
    blocker.end.set()
    assert submit(lane, lambda: "next") == "next"


def test_a_queued_call_whose_deadline_passed_is_never_run(
    lane: Lane, blocker: Blocker, background: ThreadPoolExecutor
) -> None:
    """Its caller is gone: running it would delay those who still wait."""
    first = background.submit(submit, lane, blocker)
    assert blocker.running.wait(PATIENCE_S)
    ran = threading.Event()
    with pytest.raises(DeadlineExceeded):
        submit(lane, ran.set, within_s=0.02)
    blocker.end.set()
    assert first.result() == "blocker"
    submit(lane, lambda: None)
    assert not ran.is_set()


def test_a_full_queue_is_refused_with_a_time_to_come_back(
    lane: Lane, blocker: Blocker, background: ThreadPoolExecutor
) -> None:
    first = background.submit(submit, lane, blocker)
    assert blocker.running.wait(PATIENCE_S)
    waiting = [background.submit(submit, lane, lambda: "waited") for _ in range(2)]
    wait_until(lambda: lane.waiting == 2)
    with pytest.raises(Overloaded) as refused:
        submit(lane, lambda: None)
    assert int(refused.value.headers["Retry-After"]) >= 1
    blocker.end.set()
    assert [call.result() for call in (first, *waiting)] == ["blocker", "waited", "waited"]


def test_retry_after_grows_with_what_calls_take(lane: Lane, blocker: Blocker, background: ThreadPoolExecutor) -> None:
    lane.mean_call_s = 4.0
    background.submit(submit, lane, blocker)
    assert blocker.running.wait(PATIENCE_S)
    for _ in range(2):
        background.submit(submit, lane, lambda: None)
    wait_until(lambda: lane.waiting == 2)
    with pytest.raises(Overloaded) as refused:
        submit(lane, lambda: None)
    assert refused.value.headers["Retry-After"] == "8"


def test_an_exception_reaches_only_its_caller(lane: Lane, background: ThreadPoolExecutor) -> None:
    def fail() -> None:
        raise ValueError("mine")

    failing = background.submit(submit, lane, fail)
    with pytest.raises(ValueError, match="mine"):
        failing.result()
    assert submit(lane, lambda: "fine") == "fine"


def test_a_failed_call_keeps_nothing_of_its_request(lane: Lane) -> None:
    """Bodies are up to 25 MB: they must not wait for the garbage collector."""

    class Body:
        pass

    def fail(body: Body) -> None:
        raise ValueError(body)

    body = Body()
    left = weakref.ref(body)
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            submit(lane, partial(fail, body))
        del body
        wait_until(lambda: left() is None)
    finally:
        gc.enable()


def test_a_delay_that_ends_between_two_looks_at_the_clock_is_over() -> None:
    """The lane thread took what is left of it, nothing, for a wait without end."""

    class Delayed(Lane):
        looks = 0

        def delay_s(self) -> float:
            self.looks += bool(self._queue)
            return 0.001 if self._queue and self.looks == 1 else 0.0

    lane = Delayed(threads=1, queue_limit=2, watchdog_s=9)
    lane.start()
    assert lane.submit(Job(str, 1), monotonic() + PATIENCE_S, Timings()) == "1"
    lane.close(PATIENCE_S)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_the_lane_outlives_what_ends_a_thread(lane: Lane, kind: type[BaseException]) -> None:
    """sys.exit() in user code must not leave a worker that accepts requests and never predicts."""

    def leave() -> None:
        raise kind

    with pytest.raises(kind):
        submit(lane, leave)
    assert submit(lane, lambda: "alive") == "alive"


def test_a_call_past_the_watchdog_makes_the_lane_stuck(
    lane: Lane, blocker: Blocker, background: ThreadPoolExecutor
) -> None:
    assert not lane.stuck()
    call = background.submit(submit, lane, blocker)
    wait_until(lane.stuck)
    blocker.end.set()
    call.result()
    wait_until(lambda: not lane.stuck())


def test_an_idle_lane_is_never_stuck(lane: Lane) -> None:
    submit(lane, lambda: None)
    time.sleep(0.06)
    assert not lane.stuck()


def test_close_finishes_what_waits_and_refuses_what_comes(blocker: Blocker, background: ThreadPoolExecutor) -> None:
    lane = Lane(threads=1, queue_limit=4, watchdog_s=1)
    lane.start()
    first = background.submit(submit, lane, blocker)
    assert blocker.running.wait(PATIENCE_S)
    second = background.submit(submit, lane, lambda: "second")
    wait_until(lambda: lane.waiting == 1)
    closing = background.submit(lane.close, PATIENCE_S)
    wait_until(lambda: lane.closed)
    with pytest.raises(Overloaded, match="stopping"):
        submit(lane, lambda: None)
    blocker.end.set()
    closing.result()
    assert (first.result(), second.result()) == ("blocker", "second")
    assert not any(thread.name.startswith("predict-") for thread in threading.enumerate())


def test_close_leaves_a_hanging_call_behind_in_time(lane: Lane, blocker: Blocker) -> None:
    with pytest.raises(DeadlineExceeded):
        submit(lane, blocker, within_s=0.02)
    started = monotonic()
    lane.close(0.05)
    assert monotonic() - started < PATIENCE_S / 2


def test_timings_tell_waiting_from_predicting(lane: Lane, blocker: Blocker, background: ThreadPoolExecutor) -> None:
    background.submit(submit, lane, blocker)
    assert blocker.running.wait(PATIENCE_S)
    timings = Timings()
    call = background.submit(lane.submit, job(lambda: None), monotonic() + PATIENCE_S, timings)
    wait_until(lambda: lane.waiting == 1)
    time.sleep(0.02)
    blocker.end.set()
    call.result()
    assert timings.queue_ms is not None
    assert timings.predict_ms is not None
    assert timings.queue_ms >= 20 > timings.predict_ms


def test_what_a_call_logs_carries_its_callers_request_id(lane: Lane) -> None:
    token = logs.request_id.set("of-the-caller")
    try:
        assert submit(lane, logs.request_id.get) == "of-the-caller"
    finally:
        logs.request_id.reset(token)


class Mine(Exception):
    """Carries the number of the call that raised it."""


@settings(max_examples=25, deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["answer", "error", "slow", "expired"]), st.floats(0, 0.003)), min_size=1, max_size=24
    ),
    threads=st.integers(1, 3),
)
def test_every_caller_gets_its_own_answer_under_errors_and_time_outs(
    plan: list[tuple[str, float]], threads: int
) -> None:
    """design promise 7: whatever the order, the error or the time-out, no answer reaches another caller."""
    lane = Lane(threads=threads, queue_limit=len(plan), watchdog_s=1)
    lane.start()

    def ask(number: int) -> object:
        kind, delay_s = plan[number]

        def call() -> int:
            time.sleep(0.02 if kind == "slow" else delay_s)
            if kind == "error":
                raise Mine(number)
            return number

        try:
            return submit(lane, call, within_s={"slow": 0.01, "expired": 0.0}.get(kind, PATIENCE_S))
        except Mine as error:
            return ("error", *error.args)
        except DeadlineExceeded:
            return "late"

    with ThreadPoolExecutor(len(plan)) as callers:
        answers = list(callers.map(ask, range(len(plan))))
    lane.close(PATIENCE_S)
    wanted = {
        "answer": lambda n: n,
        "error": lambda n: ("error", n),
        "slow": lambda _: "late",
        "expired": lambda _: "late",
    }
    assert answers == [wanted[kind](number) for number, (kind, _) in enumerate(plan)]
