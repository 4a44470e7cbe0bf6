"""python -m deploy logs: the last lines of the endpoint's log, or of the newest job's. --follow goes on."""

from __future__ import annotations

import argparse
import time
from typing import Any

from deploy import failure, flags, owned
from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.kinds import JOBS
from deploy.terminal import Terminal

OF_MODE = {"batch": "transform-job", "training": "training-job", "recommend": "recommender-job"}
FOLLOW_S = 2.0
MOST_LINES = 10_000
"""Of one GetLogEvents."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser, mode=True)
    parser.add_argument("--lines", type=flags.whole(1, MOST_LINES), default=100)
    parser.add_argument("--follow", action="store_true", help="and what comes from now on")
    parser.add_argument("--component", help="of an inference component, as deploy.toml names it")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    name, region = flags.name_and_region(args)
    aws = Aws(region, reads_only=True)
    kind, thing = _thing(aws, name, args)
    events = failure.newest(aws, kind, thing, args.lines)
    lines = [str(each["message"]).rstrip() for each in events]
    group, _ = failure.group_of(kind, thing)
    terminal.result({"group": group, "lines": lines}, "\n".join(lines))
    if args.follow:
        _follow(aws, kind, thing, events[-1]["timestamp"] if events else 0)
    return 0


def _thing(aws: Aws, name: str, args: argparse.Namespace) -> tuple[str, str]:
    if args.component:
        return "inference-component", f"{name}-{args.component}"
    kind = OF_MODE.get(args.mode or str(flags.told(args).get("mode", "")), "endpoint")
    if kind not in JOBS:
        return kind, name
    jobs = sorted(owned.named(aws, kind, name), key=lambda each: each.created)
    if not jobs:
        raise DeployError(f"There is no {kind} of {name}.", "Run `python -m deploy up`.")
    return kind, jobs[-1].name


def _follow(aws: Aws, kind: str, thing: str, since: int) -> None:
    """Of all streams, so that a new instance is heard too."""
    group, prefix = failure.group_of(kind, thing)
    scope: dict[str, Any] = {"logStreamNamePrefix": prefix} if prefix else {}
    seen: set[str] = set()
    while True:
        answer = aws.call("logs", "FilterLogEvents", logGroupName=group, startTime=since + 1, **scope)
        for each in answer["events"]:
            if each["eventId"] not in seen:
                seen.add(each["eventId"])
                print(each["message"].rstrip(), flush=True)
        time.sleep(FOLLOW_S)
