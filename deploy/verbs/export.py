"""python -m deploy export cloudformation [MODE]: the deployment as a template, on stdout. Asks S3 for sizes."""

from __future__ import annotations

import argparse
import json

from deploy import cloudformation, flags
from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.terminal import Terminal
from deploy.verbs.plan import wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", choices=("cloudformation",))
    flags.add(parser, mode=True)
    parser.add_argument("--offline", action="store_true", help="no credentials, no network: sizes are not asked of S3")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """stdout is the template, whichever --output is asked for: it is JSON."""
    config = flags.config(args)
    calls, warnings = wanted(config, None if args.offline else Aws(config.region, reads_only=True))
    for warning in warnings:
        terminal.warn(warning)
    made = cloudformation.template(calls, config.name)
    for each in made.left_out:
        terminal.warn(f"CloudFormation has no resource for {each}")
    if not made.resources:
        raise DeployError(f"Nothing of mode {config.mode} can stand in a template.", f"Use {made.left_out[0]}.")
    text = json.dumps(told := made.as_json(f"{config.name}: {config.mode}, served by SageMaker"), indent=2)
    if len(text.encode()) > cloudformation.LIMIT_BYTES:
        terminal.warn("the template is above 51,200 bytes; `aws cloudformation deploy` takes it with --s3-bucket")
    terminal.result(told, text)
    return 0
