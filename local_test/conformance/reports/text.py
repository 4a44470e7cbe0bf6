"""The report for people who read a terminal: tables by group, then each failure in full, then the counts."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from local_test.conformance.assertion import Level
from local_test.conformance.reports import facts
from local_test.conformance.runner import Outcome, Report, Result

WIDTH_LIMIT = 110  # lines of text are hard to read when they are longer
STYLES = {
    Outcome.HELD: "green",
    Outcome.FAILED: "bold red",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.NOT_TESTED: "yellow",
}


def write(report: Report, stream: TextIO, *, strict: bool = False) -> None:
    """Colour and the terminal's width only if the stream is one."""
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    console.width = min(console.width, WIDTH_LIMIT)
    claims = ", ".join(report.claims) or "nothing beside real-time endpoints"
    console.print(Text(f"{report.subject}, tested {report.started} in {report.seconds:.0f} s; it claims {claims}"))
    for part in facts.parts(report):
        _write_part(console, part)
    if broken := facts.failed(report):
        console.print(Text("\nWhat does not hold", "bold"))
        for result in broken:
            _write_failure(console, result)
    _write_summary(console, report, strict=strict)


def _write_part(console: Console, part: facts.Part) -> None:
    console.print()
    head = Text.assemble((f"{part.group}  {part.name}", "bold"), (f": {part.counts}", "dim"))
    console.print(head)
    if part.only_reason:
        console.print(Padding(Text(part.only_reason, "dim"), (0, 0, 0, 2)))
        return
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(width=8, no_wrap=True)
    table.add_column(width=1)
    table.add_column(ratio=1)
    table.add_column(width=14, no_wrap=True)
    for result in part.results:
        outcome = Text(result.outcome, STYLES[result.outcome])
        table.add_row(Text(f"  {result.assertion.id}"), Text(result.level, "dim"), _promise(result), outcome)
    console.print(table)


def _promise(result: Result) -> RenderableType:
    text = Text(result.assertion.promise)
    if result.seen and result.outcome is Outcome.HELD:
        text.append(f" ({result.seen})", "dim")
    elif result.seen:
        text.append(f"\n{result.seen}", STYLES[result.outcome])
    return text


def _write_failure(console: Console, result: Result) -> None:
    assertion = result.assertion
    console.print()
    style = STYLES[Outcome.FAILED] if result.level is Level.MUST else "bold yellow"
    console.print(Text.assemble((f"{assertion.id} {result.level}  ", style), (assertion.promise, "bold")))
    complaints = "\n".join(f"{number}. {title}" for number, title in facts.pains(result).items())
    fields = {"seen": result.seen, "then": assertion.otherwise, "fix": assertion.fix, "known as": complaints}
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(width=10, no_wrap=True)
    table.add_column(ratio=1)
    for name, text in fields.items():
        if text:
            table.add_row(Text(f"  {name}", "dim"), Text(text))
    console.print(table)


def _write_summary(console: Console, report: Report, *, strict: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for outcome in Outcome:
        table.add_column(outcome, justify="right")
    for level, name in facts.LEVEL_NAMES.items():
        table.add_row(name, *(str(count) for count in facts.counts(report, level).values()))
    console.print()
    console.print(table)
    if reasons := facts.untested(report):
        count = sum(len(ids) for ids in reasons.values())
        console.print(Text(f"\n{count} M could not be tested:", STYLES[Outcome.NOT_TESTED]))
        for reason, ids in reasons.items():
            console.print(Padding(Text(f"{', '.join(ids)}: {reason}"), (0, 0, 0, 2)))
    style = STYLES[Outcome.HELD if report.conforms(strict=strict) else Outcome.FAILED]
    console.print()
    console.print(Text(facts.verdict(report, strict=strict), style))
