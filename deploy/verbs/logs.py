"""python -m deploy logs: the last lines of the endpoint's log, or of the newest job's. --follow goes on.

Each container of each instance has a stream of its own; they are told by time, each line with its stream.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy import failure, flags, names, owned
from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.kinds import JOBS
from deploy.terminal import Terminal

OF_MODE = {"batch": "transform-job", "training": "training-job", "recommend": "recommender-job"}
FOLLOW_S = 2.0
LATE_MS = 60_000
"""How much later than its time an event may come."""
STREAMS = 20
"""Of an endpoint that has had many instances; each is a call."""
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
    group, prefix = failure.group_of(kind, thing)
    streams = failure.streams(aws, kind, thing)
    if len(streams) > STREAMS:
        terminal.say(f"the newest {STREAMS} of {len(streams)} streams")
    told = Told(prefix, set(streams[:STREAMS]))
    events = _last(aws, group, streams[:STREAMS], args.lines)
    lines = [told.line(each) for each in events]
    terminal.result({"group": group, "streams": sorted(told.streams), "lines": lines}, "\n".join(lines))
    if args.follow:
        _follow(aws, group, told, events[-1]["timestamp"] if events else 0)
    return 0


@dataclass(frozen=True)
class Told:
    """How a line is told: with its stream, as soon as there is more than one."""

    prefix: str
    """What all streams begin with."""
    streams: set[str]

    def line(self, event: Mapping[str, Any]) -> str:
        text, stream = str(event["message"]).rstrip(), str(event["logStreamName"])
        self.streams.add(stream)
        return f"{stream.removeprefix(self.prefix)}: {text}" if len(self.streams) > 1 else text


def _last(aws: Aws, group: str, streams: list[str], lines: int) -> list[dict[str, Any]]:
    found = [
        {**each, "logStreamName": stream} for stream in streams for each in failure.last_of(aws, group, stream, lines)
    ]
    return sorted(found, key=lambda each: each["timestamp"])[-lines:]


def _thing(aws: Aws, name: str, args: argparse.Namespace) -> tuple[str, str]:
    if args.component:
        return "inference-component", names.component(name, args.component)
    kind = OF_MODE.get(args.mode or str(flags.told(args).get("mode", "")), "endpoint")
    if kind not in JOBS:
        return kind, name
    jobs = sorted(owned.named(aws, kind, name), key=lambda each: each.created)
    if not jobs:
        raise DeployError(f"There is no {kind} of {name}.", "Run `python -m deploy up`.")
    return kind, jobs[-1].name


def _follow(aws: Aws, group: str, told: Told, since: int) -> None:
    """Of all streams, so that a new instance is heard too."""
    scope: dict[str, Any] = {"logStreamNamePrefix": told.prefix} if told.prefix else {}
    seen: set[str] = set()
    start = since + 1
    while True:
        for each in aws.every("logs", "FilterLogEvents", "events", logGroupName=group, startTime=start, **scope):
            if each["eventId"] not in seen:
                seen.add(each["eventId"])
                print(told.line(each), flush=True)
                start = max(start, each["timestamp"] - LATE_MS)
        time.sleep(FOLLOW_S)
