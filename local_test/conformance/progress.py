"""Tells on stderr how a run goes: a live line on a terminal, elsewhere one line a group. Used by command."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from local_test.conformance.assertion import Assertion
from local_test.conformance.catalogue import GROUP_NAMES
from local_test.conformance.runner import Outcome, Progress, Result

STARTING = "starting it, to find out what it is for"


class Shown(Progress, AbstractContextManager["Shown"]):
    """A Progress that shows until its block ends."""

    def __exit__(self, *_: object) -> None:
        """Nothing is left on the screen that would be in the report's way."""


def for_stderr(count: int) -> Shown:
    """count: of assertions."""
    console = Console(stderr=True, highlight=False)
    return LiveLine(console, count) if console.is_terminal and not console.is_dumb_terminal else GroupLines(sys.stderr)


class LiveLine(Shown):
    """One line, drawn anew: id, what is promised, how many of how many, how long."""

    def __init__(self, console: Console, count: int) -> None:
        columns = (
            SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}", style="red", markup=False), TimeElapsedColumn(),
        )  # fmt: skip
        self.bar = Bar(*columns, console=console, transient=True)
        self.task = self.bar.add_task(STARTING, total=count, failed="")
        self.failed = 0

    def __enter__(self) -> LiveLine:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def begins(self, assertion: Assertion) -> None:
        self.bar.update(self.task, description=assertion.id.ljust(7))

    def ends(self, result: Result) -> None:
        self.failed += result.outcome is Outcome.FAILED
        self.bar.update(self.task, advance=1, failed=f"{self.failed} failed" if self.failed else "")


class GroupLines(Shown):
    """For logs: a line when a group is through."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.group = ""
        self.results: list[Result] = []
        self.began_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._tell()

    def starts(self) -> None:
        print(f"conformance: {STARTING}", file=self.stream, flush=True)

    def begins(self, assertion: Assertion) -> None:
        if assertion.group != self.group:
            self._tell()
            self.group, self.results, self.began_s = assertion.group, [], time.monotonic()

    def ends(self, result: Result) -> None:
        self.results.append(result)

    def _tell(self) -> None:
        counts = [f"{count} {outcome}" for outcome in Outcome if (count := self._count(outcome))]
        if counts:
            seconds = time.monotonic() - self.began_s
            text = f"{self.group:3} {GROUP_NAMES[self.group]}: {', '.join(counts)} ({seconds:.1f} s)"
            print(f"conformance: {text}", file=self.stream, flush=True)
        self.results = []

    def _count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)
