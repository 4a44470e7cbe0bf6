"""python -m deploy up [MODE]: makes AWS what deploy.toml says, and sees that it is. Killed anywhere, it goes on."""

from __future__ import annotations

import argparse
from typing import Any

from deploy import flags, requests
from deploy.aws import Aws
from deploy.checks import check
from deploy.config import Config
from deploy.failure import explained
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
    told = deploy(Aws(config.region), config, terminal, pace, again=args.again, wait=not args.no_wait)
    terminal.result(told, text_of(config, told))
    return 0


def deploy(
    aws: Aws, config: Config, terminal: Terminal, pace: Pace, *, again: bool = False, wait: bool = True
) -> dict[str, Any]:
    """What is there now. Raises DeployError with log lines and cause where AWS ends elsewhere."""
    from deploy.apply import Apply

    check(requests.build(config), config)  # before the first call, which may wait for minutes
    journal = Journal.of(config.name)
    _tell(journal, terminal)
    if config.mode not in WITHOUT_ENDPOINT:
        until_still(aws, config.name, pace.again(), terminal)
        until_components_still(aws, config.name, pace.again(), terminal)
    plan = plan_verb.made(aws, config, terminal, again=again)
    if plan.changes:
        journal.begin("up", name=config.name, mode=config.mode, region=aws.region)
    apply = Apply(aws, journal, pace, terminal, wait=wait)
    try:
        apply.run(plan)
    except Failed as failed:
        raise explained(aws, failed) from None
    if plan.changes and wait:
        journal.finish()
    return _told(aws, config, apply, pace) | ({} if wait else {"waited": False})


def _tell(journal: Journal, terminal: Terminal) -> None:
    if (steps := journal.unfinished) and journal.told["verb"] == "up":
        terminal.say(f"going on after {len(steps)} steps of {journal.told['begun']}, the last: {steps[-1]['what']}")


def _told(aws: Aws, config: Config, apply: Any, pace: Pace) -> dict[str, Any]:
    told: dict[str, Any] = {"name": config.name, "mode": config.mode, "region": aws.region, "done": apply.done}
    jobs = {key: answer for key, answer in apply.answers.items() if "ModelArtifacts" in answer}
    for answer in jobs.values():
        told["artifact"] = answer["ModelArtifacts"]["S3ModelArtifacts"]
    told["elapsed"] = clock(pace.elapsed_s)
    return told


def text_of(config: Config, told: dict[str, Any]) -> str:
    if not told["done"]:
        return f"{config.name}: nothing to do"
    if "waited" in told:
        return f"{config.name}: {len(told['done'])} changes begun; AWS goes on. Run `up` again: it sees to the rest."
    lines = [f"{config.name} is up ({config.mode}, {told['region']}), {len(told['done'])} changes in {told['elapsed']}"]
    lines += [f'artifact = "{told["artifact"]}"'] if "artifact" in told else []
    return "\n".join(lines)
