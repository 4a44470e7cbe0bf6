"""python -m deploy scale N: another number of instances or copies, or another weight, without a new configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from deploy import flags, names, owned
from deploy.aws import Aws
from deploy.call import Call, given
from deploy.errors import DeployError, Usage
from deploy.terminal import Terminal
from deploy.wait import Failed, Pace, until_described, until_still


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "number", type=flags.whole(0), nargs="?", metavar="N", help="instances, or copies of a component"
    )
    parser.add_argument("--variant", help="which one, if there are several")
    parser.add_argument("--component", help="an inference component instead, as deploy.toml names it")
    parser.add_argument("--weight", type=flags.number(0), help="the variant's share of the requests")
    flags.add(parser)
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    if args.number == 0 and not args.component:
        step = "Take it away with `down`; in mode async, and with components, scaling.min = 0 lets it go to zero."
        raise Usage("N is 0; a variant has at least 1 instance.", step)
    name, region = flags.name_and_region(args)
    if args.number is None and args.weight is None:
        raise DeployError("Nothing to change.", "Say how many: scale 3; or --weight 0.5.")
    if args.component and (args.number is None or args.weight is not None or args.variant):
        raise Usage("A component has copies, no weight and no variant.", "Say how many: scale 3 --component NAME.")
    aws, pace = Aws(region), Pace(args.poll, args.timeout)
    if args.component:
        component = _component(aws, name, args.component)
        _within_bounds(aws, name, f"inference-component/{component}", args.number)
        told = _copies(aws, component, args.number, pace, terminal)
    else:
        told = _variant(aws, name, args, pace, terminal)
    text = ", ".join(f"{key} {value}" for key, value in told.items())
    terminal.result(told, f"{text}. deploy.toml stays as it is: write it there too, or `up` sets it back.")
    return 0


def _variant(aws: Aws, name: str, args: argparse.Namespace, pace: Pace, terminal: Terminal) -> dict[str, Any]:
    there = until_still(aws, name, pace.again(), terminal)
    if there is None:
        raise owned.missing(aws, name)
    owned.refuse_foreign(aws.tags(there["EndpointArn"]), name)
    variant = _chosen(there, args.variant)
    if args.number is not None and not _has_instances(there, variant):
        raise DeployError(f"{variant} is serverless and has no instances.", "Change [serverless] in deploy.toml.")
    _within_bounds(aws, name, f"endpoint/{name}/variant/{variant}", args.number)
    wanted = given(VariantName=variant, DesiredInstanceCount=args.number, DesiredWeight=args.weight)
    aws.call("sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName=name, DesiredWeightsAndCapacities=[wanted])
    after = until_still(aws, name, pace.again(), terminal) or {}
    if after.get("EndpointStatus") != "InService":
        raise Failed(f"endpoint/{name}", str(after.get("EndpointStatus", "gone")), after)
    return {"endpoint": name, **given(variant=variant, instances=args.number, weight=args.weight)}


def _chosen(there: Mapping[str, Any], asked: str | None) -> str:
    found = [str(each["VariantName"]) for each in there.get("ProductionVariants", ())]
    if asked in found or (asked is None and len(found) == 1):
        return asked or found[0]
    raise DeployError("Which variant?", f"Give --variant: {', '.join(found)}.")


def _has_instances(there: Mapping[str, Any], variant: str) -> bool:
    return any("DesiredInstanceCount" in each for each in there["ProductionVariants"] if each["VariantName"] == variant)


def _within_bounds(aws: Aws, name: str, resource: str, number: int | None) -> None:
    """What scales by itself would undo it."""
    kind, _, part = resource.partition("/")
    for each in owned.targets(aws, name, [part] if kind == "inference-component" else []):
        mine = each["ResourceId"] == resource
        if mine and number is not None and not each["MinCapacity"] <= number <= each["MaxCapacity"]:
            bounds = f"{each['MinCapacity']} to {each['MaxCapacity']}"
            text = f"{resource} scales by itself from {bounds}, which {number} is outside of."
            raise DeployError(text, "Change its scaling in deploy.toml and run `up`.")


def _component(aws: Aws, name: str, asked: str) -> str:
    """Its whole name. Raises DeployError for one that is not there, or not ours."""
    found, wanted = sorted(each.name for each in owned.components(aws, name)), names.component(name, asked)
    if wanted not in found:
        there = ", ".join(each.removeprefix(f"{name}-") for each in found)
        step = f"Give --component: {there}." if there else "Write [[components]] in deploy.toml and run `up`."
        raise DeployError(f"{name} has no component {asked} that was made here.", step)
    return wanted


def _copies(aws: Aws, component: str, number: int, pace: Pace, terminal: Terminal) -> dict[str, Any]:
    parameters = {"InferenceComponentName": component, "DesiredRuntimeConfig": {"CopyCount": number}}
    aws.call("sagemaker", "UpdateInferenceComponentRuntimeConfig", **parameters)
    told = {"InferenceComponentName": component, "RuntimeConfig": {"CopyCount": number}}
    call = Call("sagemaker", "CreateInferenceComponent", told, f"inference-component/{component}")
    until_described(aws, call, pace.again(), terminal)
    return {"component": component, "copies": number}
