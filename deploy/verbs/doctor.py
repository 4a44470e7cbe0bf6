"""python -m deploy doctor: looks at everything a deployment takes for granted, and says what to change. Reads only.

Exit code 1 where something is wrong; what could not be checked is told, and is no error.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator

from deploy import flags, requests
from deploy.aws import Aws
from deploy.checks import check
from deploy.doctor import examined
from deploy.doctor.finding import Case, Finding, Verdict
from deploy.errors import DeployError
from deploy.terminal import Terminal

MARKS = {Verdict.FINE: "ok", Verdict.NOTE: "note", Verdict.UNKNOWN: "?", Verdict.WRONG: "WRONG"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    findings = [*examined(*_case(args))]
    counts = {each: sum(found.verdict == each for found in findings) for each in Verdict}
    told = {"findings": [dataclasses.asdict(each) for each in findings]} | {str(each): n for each, n in counts.items()}
    terminal.result(told, "\n".join([line for each in findings for line in _lines(each)] + [_counted(counts)]))
    return 1 if counts[Verdict.WRONG] else 0


def _case(args: argparse.Namespace) -> tuple[Case, DeployError | None]:
    """What is wanted, as far as deploy.toml says it, and what is wrong with that."""
    region = flags.told(args).get("region")
    aws = Aws(region if isinstance(region, str) else None, reads_only=True)
    try:
        config = flags.config(args)
    except DeployError as error:
        return Case(aws), error
    calls = requests.build(config)
    try:
        return Case(aws, config, calls, check(calls, config)), None
    except DeployError as error:
        return Case(aws, config, calls), error


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{MARKS[finding.verdict]:6}{finding.subject}: {finding.text}"
    if finding.change and finding.verdict != Verdict.FINE:
        yield f"      -> {finding.change}"


def _counted(counts: dict[Verdict, int]) -> str:
    return f"{counts[Verdict.WRONG]} wrong, {counts[Verdict.UNKNOWN]} could not be checked, {counts[Verdict.FINE]} fine"
