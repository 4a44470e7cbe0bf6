"""python -m deploy iam KIND [MODE]: the policy that a deployment needs, or what of it is missing.

Policies come first, before there is a role, an image, an artifact or a deploy.toml: what is not said as yet will be
where build_and_push.sh and `package` put it.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from deploy import flags, iam, placeholders
from deploy.aws import Aws
from deploy.config import Table, check, parse
from deploy.terminal import Terminal

LACKING = 2
"""The exit code of --check when something is missing."""
CHANGE = "Say it by a flag, such as --name or --role, or in deploy.toml."
REPOSITORY = "sagemaker-serving"
"""Of build_and_push.sh, if it is given no NAME."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=iam.KINDS, help="of the role that runs it, who may take that role, who deploys")
    parser.add_argument("--check", action="store_true", help="ask IAM, and print only what is missing")
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    table = _said(args)
    aws = Aws(table.get("region"), reads_only=True)
    if "role" not in table and args.kind != "deployer" and not args.check:
        table["role"] = _some_role(aws)
    config = parse(_with_places(aws, table), CHANGE)
    policy = iam.policy(args.kind, config, "" if args.kind == "trust" else aws.region)
    if args.kind == "execution" and config.mode == "recommend":
        terminal.warn(f"{iam.RECOMMENDER} {iam.FOR_RECOMMENDER}")
    if not args.check:
        terminal.result(policy, json.dumps(policy, indent=2))
        return 0
    lacking = looked(aws, args.kind, config.role, policy)
    told = {"Version": policy["Version"], "Statement": lacking}
    terminal.result(told, json.dumps(told, indent=2) if lacking else "nothing is missing")
    return LACKING if lacking else 0


def _said(args: argparse.Namespace) -> Table:
    """File and flags without what `init` left to be filled in. The trust policy is about the role alone."""
    told = flags.told(args)
    said = {name: value for name, value in told.items() if isinstance(value, dict) or not placeholders.in_value(value)}
    check(said)
    if args.kind == "trust":
        return {"name": "any", "image": f"any.any/{REPOSITORY}"} | {k: said[k] for k in ("role", "region") if k in said}
    return said


def _some_role(aws: Aws) -> str:
    """A role of this account: of its ARN these policies name the account alone."""
    _, partition, _, _, account, _ = aws.call("sts", "GetCallerIdentity")["Arn"].split(":")
    return f"arn:{partition}:iam::{account}:role/any"


def _with_places(aws: Aws, table: Table) -> Table:
    """With image and artifact where they will be, if there is no image as yet."""
    if "image" in table:
        return table
    account, region = iam.of_role(table["role"])[1] if "role" in table else "", aws.region
    image = f"{account}.dkr.ecr.{region}.amazonaws.com/{REPOSITORY}"
    if table.get("mode") == "multi-model":  # whose models no verb puts anywhere
        return {"image": image} | table
    return {"image": image, "artifact": iam.of_package(account, region, table.get("name", ""))} | table


def looked(aws: Aws, kind: str, role: str, policy: iam.Policy) -> list[dict[str, Any]]:
    """The statements that have to be added."""
    from deploy import permissions

    if kind == "trust":
        return [] if permissions.trusts_sagemaker(aws, role) else policy["Statement"]
    return permissions.missing(aws, role if kind == "execution" else permissions.caller(aws), policy)
