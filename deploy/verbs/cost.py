"""python -m deploy cost [MODE]: instance-hours of what deploy.toml asks for, their price, and endpoints nobody asks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy import flags, requests
from deploy.aws import Aws
from deploy.cost import idle, prices, uses
from deploy.cost.prices import Plan, Prices
from deploy.errors import DeployError
from deploy.terminal import Terminal

KEPT_DAYS = 455
"""So long CloudWatch keeps a metric: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html"""
PAYMENTS = {"none": "No Upfront", "partial": "Partial Upfront", "all": "All Upfront"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prices", type=Path, metavar="FILE", help="TOML of yours: date, currency, [hourly]")
    parser.add_argument("--price-list", action="store_true", help="ask AWS's price list, which is a call to us-east-1")
    parser.add_argument("--savings-plan", type=int, choices=(1, 3), metavar="1|3", help="its rates, for so many years")
    parser.add_argument("--upfront", choices=tuple(PAYMENTS), default="none", help="how the plan is paid")
    parser.add_argument(
        "--idle",
        type=flags.whole(1, KEPT_DAYS),
        metavar="DAYS",
        help="which endpoints had no request for so long, instead",
    )
    flags.add(parser, mode=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    if args.idle:
        return told_idle(Aws(flags.region(args), reads_only=True), args.idle, terminal)
    config = flags.config(args)
    found = uses.of(requests.build(config))
    known = chosen(args, config.region)
    rows = [row(use, known) for use in found]
    told = {"uses": rows, **({"prices": known.source, "currency": known.currency} if known else {})}
    terminal.result(told, "\n".join(lines(found, rows, known)))
    return 0


def told_idle(aws: Aws, days: int, terminal: Terminal) -> int:
    found = idle.endpoints(aws, days)
    rows = [
        {"name": each.name, "requests": each.requests, "waiting": each.waiting, "days": days, "idle": each.idle}
        for each in found
    ]
    terminal.result({"endpoints": rows}, "\n".join(map(str, found)) or "no endpoint was deployed from here")
    return 0


def chosen(args: argparse.Namespace, region: str | None) -> Prices | None:
    """What the flags say; None leaves it at hours."""
    plan = Plan(args.savings_plan, PAYMENTS[args.upfront]) if args.savings_plan else None
    if args.prices:
        return prices.FilePrices(args.prices, plan)
    if args.price_list:
        return prices.ListPrices(Aws(prices.REGION, reads_only=True), region or Aws().region, plan)
    if plan:
        raise DeployError("--savings-plan needs prices.", "Add --prices FILE or --price-list.")
    return None


def row(use: uses.Use, known: Prices | None) -> dict[str, Any]:
    least, most = use.hours
    told: dict[str, Any] = {"what": use.what, "type": use.type, "hours": [least, most], "zero": use.goes_to_zero}
    if known and use.type != uses.SERVERLESS:
        hourly = known.hourly(use)
        told |= {"hourly": hourly, "cost": None if hourly is None or most is None else [least * hourly, most * hourly]}
    return told


def lines(found: Sequence[uses.Use], rows: Sequence[dict[str, Any]], known: Prices | None) -> list[str]:
    told = [f"{use}{_money(use, each, known)}" for use, each in zip(found, rows, strict=True)]
    return [*told, *([f"prices: {known.source}"] if known else [])]


def _money(use: uses.Use, told: dict[str, Any], known: Prices | None) -> str:
    if not known or "cost" not in told:
        return ""
    if told["hourly"] is None:
        return f"; no price of {use.type}"
    if told["cost"] is None:
        running = f"{use.most * told['hourly']:.2f} {known.currency} an hour"
        return f": {running} of each" if use.tried else f": {running} while it runs"
    least, most = told["cost"]
    amount = f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f}"
    return f": {amount} {known.currency}{' a day' if use.limit_h is None else ''}"
