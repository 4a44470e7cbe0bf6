"""What goes wrong with a call, by test's order: an error, no answer, or whatever a test does at that moment.

double.faults.on("CreateEndpoint", Fault("ResourceLimitExceeded", "The account-level service limit ..."))
double.faults.on("DescribeEndpoint", THROTTLED, times=3)
double.faults.at(7, LOST)                     the seventh call from now, whichever it is
double.faults.at(7, action=process.kill)      the process dies after AWS did it and before it knows
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """An error instead of an answer, unless it is silent or carried out."""

    code: str = "InternalFailure"
    message: str = "by the test's order"
    status: int = 400
    silent: bool = False
    """The connection ends without an answer, as after a time-out."""
    carried_out: bool = False
    """Silent too, but AWS did what was asked."""
    hang_s: float = 0.0
    """How long the client waits before."""
    action: Callable[[], object] | None = None
    """What happens at that moment."""

    def wait(self) -> None:
        time.sleep(self.hang_s)


THROTTLED = Fault("ThrottlingException", "Rate exceeded")
LOST = Fault(carried_out=True)
"""Done, but the answer never arrived."""
UNHEARD = Fault(silent=True)
"""Not done, and no answer either."""


@dataclass
class Faults:
    by_operation: dict[str, list[Fault]] = field(default_factory=dict)
    by_number: dict[int, Fault] = field(default_factory=dict)
    count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, operation: str, fault: Fault, times: int = 1) -> None:
        """The next calls of an operation."""
        self.by_operation.setdefault(operation, []).extend([fault] * times)

    def at(self, number: int, fault: Fault | None = None, *, action: Callable[[], object] | None = None) -> None:
        """The call of that number from now on, 1 is the next."""
        self.by_number[self.count + number] = fault or Fault(carried_out=True, action=action)

    def clear(self) -> None:
        """Nothing goes wrong any more, and counting starts anew."""
        self.by_operation.clear()
        self.by_number.clear()
        self.count = 0

    def next(self, operation: str) -> Fault | None:
        """What becomes of this call. Counts it."""
        with self._lock:
            self.count += 1
            if fault := self.by_number.pop(self.count, None):
                return fault
            waiting = self.by_operation.get(operation)
            return waiting.pop(0) if waiting else None
