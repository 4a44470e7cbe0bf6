"""python -m deploy down: removes what carries our tags, and nothing else. Lists, asks, can be run again at any time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from deploy import down, flags
from deploy.aws import Aws
from deploy.change import Plan
from deploy.errors import DeployError
from deploy.interruption import command
from deploy.record import Journal
from deploy.terminal import Terminal
from deploy.wait import Pace, until_still


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--registry", action="store_true", help="registered models too")
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    name, region = flags.name_and_region(args)
    aws, pace = Aws(region), Pace(args.poll, args.timeout)
    plan = down.plan(aws, name, registry=args.registry)
    for warning in plan.warnings:
        terminal.warn(warning)
    if plan.changes and not (args.yes or _agreed(plan, terminal)):
        raise DeployError("Nothing was removed.", "Say yes, or give --yes.")
    removed = remove(aws, name, plan, terminal, pace, registry=args.registry, words=args.words)
    text = f"removed {len(removed)}: {', '.join(removed)}" if removed else f"{name}: nothing of ours is there"
    terminal.result({"name": name, "removed": removed}, text)
    return 0


def remove(
    aws: Aws,
    name: str,
    plan: Plan,
    terminal: Terminal,
    pace: Pace,
    *,
    registry: bool = False,
    words: Sequence[str] = ("down",),
) -> list[str]:
    """Everything of the plan, in its order. Raises DeployError where something stays."""
    from deploy.apply import Apply

    if not plan.changes:
        return []
    journal = Journal.of(name)
    journal.begin("down", name=name, region=aws.region, command=command(words))
    with journal.watched():
        if plan.endpoint:
            until_still(aws, name, pace.again(), terminal)  # AWS deletes none that is changing
        Apply(aws, journal, pace, terminal).run(plan)
        down.nothing_left(aws, name, registry=registry)
    journal.finish()
    return [each.call.key for each in plan.changes]


def _agreed(plan: Plan, terminal: Terminal) -> bool:
    for each in plan.changes:
        terminal.say(f"- {each.call.operation} {each.call.key}")
    return terminal.asked(f"Remove these {len(plan.changes)}?")
