"""python -m deploy up [MODE]: makes AWS what deploy.toml says, and sees that it is. Killed anywhere, it goes on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from deploy import flags, results
from deploy.aws import Aws
from deploy.config import Config
from deploy.failure import explained
from deploy.interruption import command
from deploy.kinds import JOBS, KINDS
from deploy.record import Journal
from deploy.switch import WITHOUT_ENDPOINT
from deploy.terminal import Terminal, clock
from deploy.verbs import plan as plan_verb
from deploy.wait import Failed, Pace, until_components_still, until_still


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)
    parser.add_argument("--again", action="store_true", help="run a job that is done already once more")
    parser.add_argument("--no-wait", action="store_true", help="return as soon as AWS has begun; run `up` again later")
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    config = flags.config(args)
    pace = Pace(args.poll, args.timeout)
    aws, wait = Aws(config.region), not args.no_wait
    told = deploy(aws, config, terminal, pace, again=args.again, wait=wait, words=args.words)
    terminal.result(told, text_of(config, told))
    return 0


def deploy(
    aws: Aws,
    config: Config,
    terminal: Terminal,
    pace: Pace,
    *,
    again: bool = False,
    wait: bool = True,
    words: Sequence[str] = ("up",),
) -> dict[str, Any]:
    """What is there now. Raises DeployError with log lines and cause where AWS ends elsewhere."""
    from deploy.apply import Apply

    calls, warnings = plan_verb.wanted(config, aws)  # before it waits, which may take minutes
    journal = Journal.of(config.name)
    _tell(journal, terminal)
    if config.mode not in WITHOUT_ENDPOINT:
        until_still(aws, config.name, pace.again(), terminal)
        until_components_still(aws, config.name, pace.again(), terminal)
    plan = plan_verb.beside(aws, config, terminal, calls, warnings, again=again)
    if plan.changes:
        journal.begin("up", name=config.name, mode=config.mode, region=aws.region, command=command(words))
    apply = Apply(aws, journal, pace, terminal, wait=wait)
    try:
        apply.run(plan)
    except Failed as failed:
        raise explained(aws, failed) from None
    journal.finish("left" if apply.left else "done")
    rest = {"waited": False, "left": apply.left, "go_on": command(words) if apply.left else ""}
    return _told(aws, config, apply, pace) | ({} if wait else rest)


def _tell(journal: Journal, terminal: Terminal) -> None:
    if (steps := journal.unfinished) and journal.told["verb"] == "up":
        terminal.say(f"going on after {len(steps)} steps of {journal.told['begun']}, the last: {steps[-1]['what']}")


def _told(aws: Aws, config: Config, apply: Any, pace: Pace) -> dict[str, Any]:
    told: dict[str, Any] = {"name": config.name, "mode": config.mode, "region": aws.region, "done": apply.done}
    for key, answer in apply.answers.items():
        told |= _result(key, answer)
    told["elapsed"] = clock(pace.elapsed_s)
    return told


def _result(key: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was described; a job that nobody waited for has answered no more than its ARN."""
    kind = key.partition("/")[0]
    if kind in JOBS and KINDS[kind].status in answer:
        return results.of_job(key, answer)
    return results.of_package(answer["ModelPackageArn"]) if kind == "model-package" else {}


def text_of(config: Config, told: dict[str, Any]) -> str:
    return "\n".join([f"{config.name}{_first(config, told)}", *results.lines(told)])


def _first(config: Config, told: dict[str, Any]) -> str:
    changes = f"{len(told['done'])} changes"
    if not told["done"]:
        return f": {results.nothing_to_do(told if 'job' in told else {})}"
    if told.get("left"):
        return f": {changes} begun, {len(told['left'])} left; AWS goes on. `{told['go_on']}` sees to the rest."
    if "waited" in told:
        return f": {changes} begun; AWS goes on. `python -m deploy status` tells how it ends."
    return f" is up ({config.mode}, {told['region']}), {changes} in {told['elapsed']}"
