"""A check that mostly waits, in a thread: such waits pass at once, beside the other checks. Used by runner."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from local_test.conformance.assertion import Assertion
from local_test.conformance.bench import Bench

T = TypeVar("T")


class Beside(Generic[T]):
    """One check, begun at once, on a bench of its own."""

    def __init__(self, assertion: Assertion, bench: Bench, judge: Callable[[Assertion, Bench], T]) -> None:
        self._assertion, self._bench, self._judge = assertion, bench.aside(), judge
        self._began_s = time.monotonic()
        self._result: T | None = None
        # A daemon, since a stopped run waits for nobody; its containers are the run's, and removed with it.
        self._thread = threading.Thread(target=self._run, name=assertion.id, daemon=True)
        self._thread.start()

    def result(self, limit_s: float) -> T | None:
        """What it came to; None if it has not come to an end within limit_s of its beginning."""
        self._thread.join(max(0.0, self._began_s + limit_s - time.monotonic()))
        return None if self._thread.is_alive() else self._result

    def _run(self) -> None:
        try:
            self._result = self._judge(self._assertion, self._bench)
        finally:
            self._bench.release()
