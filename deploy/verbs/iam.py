"""python -m deploy iam KIND [MODE]: the policy that a deployment needs, or what of it is missing."""

from __future__ import annotations

import argparse
import json
from typing import Any

from deploy import flags, iam
from deploy.aws import Aws
from deploy.terminal import Terminal

LACKING = 2
"""The exit code of --check when something is missing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=iam.KINDS, help="of the role that runs it, who may take that role, who deploys")
    parser.add_argument("--check", action="store_true", help="ask IAM, and print only what is missing")
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    config = flags.config(args)
    aws = Aws(config.region, reads_only=True)
    policy = iam.policy(args.kind, config, aws.region)
    if not args.check:
        terminal.result(policy, json.dumps(policy, indent=2))
        return 0
    lacking = looked(aws, args.kind, config.role, policy)
    told = {"Version": policy["Version"], "Statement": lacking}
    terminal.result(told, json.dumps(told, indent=2) if lacking else "nothing is missing")
    return LACKING if lacking else 0


def looked(aws: Aws, kind: str, role: str, policy: iam.Policy) -> list[dict[str, Any]]:
    """The statements that have to be added."""
    from deploy import permissions

    if kind == "trust":
        return [] if permissions.trusts_sagemaker(aws, role) else policy["Statement"]
    return permissions.missing(aws, role if kind == "execution" else permissions.caller(aws), policy)
