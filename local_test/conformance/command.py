"""The command as a whole: reads the options, runs the assertions, writes the report. Called by __main__."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from local_test.conformance import explain, reports
from local_test.conformance.assertion import Assertion, NotApplicable
from local_test.conformance.catalogue import select
from local_test.conformance.engine import ENGINE_ERRORS, EngineFault
from local_test.conformance.option_types import UsageError
from local_test.conformance.options import Given, parse
from local_test.conformance.progress import for_stderr
from local_test.conformance.runner import Report, run
from local_test.conformance.stopping import Stopped, Stopping
from local_test.conformance.subjects import Address, Image, Project, Subject

CONFORMS, DOES_NOT, CANNOT_BEGIN = 0, 1, 2


def main(arguments: Sequence[str], program: str) -> int:
    """The exit status. --help and interruption end the process themselves."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # no terminal ends a run
    stopping = Stopping()
    try:
        with stopping:
            return _carry_out(parse(arguments, program), stopping)
    except Stopped:
        _end_at_once(stopping)
    except (UsageError, EngineFault) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return CANNOT_BEGIN
    except BrokenPipeError:  # the reader of the report has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_BEGIN


def _carry_out(given: Given, stopping: Stopping) -> int:
    assertions = _assertions(given)
    if given.listing:
        print(explain.listing(assertions))
        return CONFORMS
    if given.explain:
        print("\n\n".join(map(explain.whole, assertions)))
        return CONFORMS
    report = _run(given, assertions, stopping)
    _write(report, given)
    return CONFORMS if report.conforms(strict=given.strict) else DOES_NOT


def _assertions(given: Given) -> list[Assertion]:
    try:
        chosen = select(given.explain or given.only, given.skip)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not chosen:
        raise UsageError("--only and --skip together leave nothing to check")
    return chosen


def _run(given: Given, assertions: list[Assertion], stopping: Stopping) -> Report:
    subject = _subject(given)
    stopping.release = subject.close
    try:
        with for_stderr(len(assertions)) as progress:
            report = run(subject, given.options, assertions, progress)
    except ENGINE_ERRORS as error:
        raise EngineFault(f"the Docker engine failed: {error}") from error
    stopping.check()
    return report


def _subject(given: Given) -> Subject:
    if given.url:
        return Address(given.url)
    if given.project is None:
        return Image(given.image, given.setup)
    try:
        return Project(given.project, given.setup)
    except NotApplicable as error:
        raise UsageError(str(error)) from error


def _write(report: Report, given: Given) -> None:
    if given.output_file is None:
        reports.write(report, given.output, sys.stdout, strict=given.strict)
        return
    with given.output_file.open("w", encoding="utf-8") as file:
        reports.write(report, given.output, file, strict=given.strict)
    reports.write(report, "text", sys.stdout, strict=given.strict)
    print(f"conformance: {given.output} report: {given.output_file}", file=sys.stderr)


def _end_at_once(stopping: Stopping) -> NoReturn:
    """Without waiting for threads that still wait for an answer; all that was started has been removed."""
    stopping.finish()
    print(f"conformance: stopped by {stopping.name}; what was started has been removed", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(stopping.status)
