"""python -m deploy plan: every call with its parameters, and how it differs from what is there. Reads only."""

from __future__ import annotations

import argparse
import json

from deploy import artifacts, flags, requests, results
from deploy.aws import Aws
from deploy.call import Call
from deploy.change import Change, Plan
from deploy.checks import check
from deploy.config import Config
from deploy.cost import uses
from deploy.facts import Facts, git_sha
from deploy.kinds import JOBS
from deploy.terminal import Terminal

CHANGES = 2
"""The exit code when there is something to do, so that scripts can ask."""

MARKS = {"create": "+", "update": "~", "delete": "-", "nothing": " "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)
    parser.add_argument("--offline", action="store_true", help="only the requests: no credentials, no network")
    parser.add_argument("--again", action="store_true", help="a job that is done already is to run once more")
    parser.add_argument("--short", action="store_true", help="without the parameters of the calls")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    config = flags.config(args)
    if args.offline:
        return offline(config, terminal)
    plan = made(Aws(config.region, reads_only=True), config, terminal, again=args.again)
    costs = [str(each) for each in uses.of(requests.build(config))]
    told = {"changes": [each.as_json() for each in plan.changes], "warnings": list(plan.warnings), "cost": costs}
    terminal.result(told, "\n".join([text_of(plan, short=args.short), *costs]))
    return CHANGES if plan.changes else 0


def offline(config: Config, terminal: Terminal) -> int:
    calls, warnings = wanted(config)
    for warning in warnings:
        terminal.warn(warning)
    told = [{"call": f"{each.service}:{each.operation}", "parameters": dict(each.parameters)} for each in calls]
    terminal.result({"calls": told}, "\n".join(_full(each) for each in calls))
    return 0


def wanted(config: Config, aws: Aws | None = None) -> tuple[list[Call], list[str]]:
    """The calls of `up`, and what to warn of, after all has been checked; S3 is asked for sizes if there is an aws."""
    calls = requests.build(config)
    check(calls, config)  # before the first call
    sizes, unknown = artifacts.sizes(aws, config) if aws else ({}, [])
    calls = requests.build(config, Facts(git_sha(), sizes))
    return calls, [*check(calls, config), *unknown]


def made(aws: Aws, config: Config, terminal: Terminal, *, again: bool = False) -> Plan:
    """The plan, after everything that can be checked has been."""
    return beside(aws, config, terminal, *wanted(config, aws), again=again)


def beside(
    aws: Aws, config: Config, terminal: Terminal, calls: list[Call], warnings: list[str], *, again: bool = False
) -> Plan:
    """What is wanted beside what is there."""
    from deploy import plan

    found = plan.make(aws, config, calls, again=again, warnings=warnings)
    for warning in found.warnings:
        terminal.warn(warning)
    return found


def text_of(plan: Plan, *, short: bool = False) -> str:
    if not plan.changes:
        jobs = (results.of_job(each.call.key, each.there) for each in plan.every if each.call.kind in JOBS)
        return results.nothing_to_do(next(jobs, {}))
    return "\n".join([line for change in plan.changes for line in _lines(change, short)] + [_counted(plan)])


def _lines(change: Change, short: bool) -> list[str]:
    beside = f" (beside {change.instead_of})" if change.instead_of else ""
    lines = [f"{MARKS[change.verb]} {change.verb} {change.call.key}{beside}"]
    lines += [f"    {each}" for each in change.fields]
    return lines if short else [*lines, *(f"    {line}" for line in _full(change.call).splitlines())]


def _full(call: Call) -> str:
    return f"{call.service}:{call.operation} {json.dumps(call.parameters, indent=2, default=str)}"


def _counted(plan: Plan) -> str:
    counts = {verb: sum(each.verb == verb for each in plan.changes) for verb in ("create", "update", "delete")}
    return ", ".join(f"{count} to {verb}" for verb, count in counts.items() if count)
