"""Runs the checker in-process on the twin, whole or with a fault, and finds where a fault is seen. Used by test_*.py.

Each test module names, in COUNTER_EXAMPLES, how every assertion of its group is broken: by default FAULT=<id> of the
twin. test_catalogue.py holds that no implemented assertion is without one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_test.conformance.assertion import Assertion
from local_test.conformance.bench import Options, Sample
from local_test.conformance.catalogue import ALL, select
from local_test.conformance.runner import Outcome, Report, run
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Address, Image

TWIN_DIR = Path(__file__).parent / "twin"
SAMPLE = Sample(b"1,2\n3,4\n", "text/csv")
DEFAULTS = {"sample": SAMPLE, "pace": 0.02, "start_limit_s": 6.0}


@dataclass(frozen=True)
class Judge:
    """The checker, and the image of the twin."""

    image: str

    def __call__(
        self, names: Iterable[str], fault: str = "", *, env: Mapping[str, str] | None = None, image: str = "",
        assertions: Iterable[Assertion] = (), **options: Any,
    ) -> Verdicts:  # fmt: skip
        """Run the groups or ids on the twin, or another image. options: fields of bench.Options."""
        subject = Image(image or self.image, Setup(env={**({"FAULT": fault} if fault else {}), **(env or {})}))
        report = run(subject, Options(**{**DEFAULTS, **options}), list(assertions) or select(names))
        return Verdicts(report)

    def failed(self, fault: str, *, only: Iterable[str] = (), **more: Any) -> set[str]:
        """What fails on the twin with this fault, of its group without the slow ones but itself, or of only those."""
        return self(list(only) or neighbours(fault), fault, **more).failed


@dataclass(frozen=True)
class Verdicts:
    """A report by outcome."""

    report: Report
    seen: dict[str, str] = field(default_factory=dict)

    def ids(self, outcome: Outcome) -> set[str]:
        return {result.assertion.id for result in self.report.results if result.outcome is outcome}

    @property
    def failed(self) -> set[str]:
        return self.ids(Outcome.FAILED)

    @property
    def held(self) -> set[str]:
        return self.ids(Outcome.HELD)

    @property
    def rest(self) -> dict[str, str]:
        """What neither held nor failed, and why."""
        settled = (Outcome.HELD, Outcome.FAILED)
        return {each.assertion.id: each.seen for each in self.report.results if each.outcome not in settled}

    def says(self, name: str) -> str:
        """What was seen of one assertion."""
        return next(each.seen for each in self.report.results if each.assertion.id == name)


def on_paper(names: Iterable[str], **options: Any) -> Verdicts:
    """Run groups or ids that look at files only: no container is started, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    return Verdicts(run(Address(address), Options(**{**DEFAULTS, "start_limit_s": 0.0, **options}), select(names)))


def neighbours(name: str) -> list[str]:
    """The ids of an assertion's group, without the slow ones but itself."""
    return [each.id for each in ALL if each.group == name.partition("-")[0] and (each.id == name or not each.slow)]
