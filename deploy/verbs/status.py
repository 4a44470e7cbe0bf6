"""python -m deploy status: what is there and how it is. Reads only."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from deploy import flags, notes, owned, results
from deploy.aws import Aws
from deploy.call import Call
from deploy.cost import idle, uses
from deploy.down import running_jobs
from deploy.failure import cause
from deploy.record import Journal
from deploy.terminal import Terminal

Told = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    name, region = flags.name_and_region(args)
    told = looked(Aws(region, reads_only=True), name, _group(args, name))
    terminal.result(told, "\n".join(_lines(told)))
    return 0


def _group(args: argparse.Namespace, name: str) -> str:
    """Of the registry; the file may be wrong, and is not checked here."""
    section = flags.told(args).get("registry")
    group = section.get("group") if isinstance(section, dict) else None
    return group if group and isinstance(group, str) else name


def looked(aws: Aws, name: str, group: str) -> Told:
    there = owned.endpoint(aws, name)
    told: Told = {"name": name, "region": aws.region, "endpoint": _endpoint(aws, name, there) if there else None}
    told["jobs"] = [each.key for each in running_jobs(aws, name)]
    told |= {"newest_jobs": [*results.newest_jobs(aws, name)], "registered": results.newest_package(aws, group)}
    return told | {"last_run": _last_run(Journal.of(name), aws.region)}


def _last_run(journal: Journal, region: str) -> Told | None:
    """Of the journal; None where all was done."""
    here = journal.told
    if not here.get("verb") or here.get("region") != region or journal.end == "done":
        return None
    told = {"verb": here["verb"], "end": journal.end, "reason": here.get("reason", "")}
    after = journal.unfinished[-1]["what"] if journal.unfinished else ""
    return told | {"after": after, "go_on": here.get("command", f"python -m deploy {here['verb']}")}


IDLE_DAYS = 7
"""How far back requests are counted; `cost --idle N` looks at other spans and at all endpoints."""


def _endpoint(aws: Aws, name: str, there: Mapping[str, Any]) -> Told:
    tags = aws.tags(there["EndpointArn"])
    before = notes.before(tags)
    parts = [_described(aws, each.name) for each in owned.components(aws, name)]
    targets = list(owned.targets(aws, name, [each["InferenceComponentName"] for each in parts]))
    return {
        "status": there["EndpointStatus"],
        "reason": there.get("FailureReason", ""),
        "configuration": there["EndpointConfigName"],
        "coming": there.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        "previous": before.configuration if before else "",
        "previous_models": sorted(before.models) if before else [],
        "unfinished": tags.get(notes.UNFINISHED, ""),
        "ours": owned.is_ours(tags, name),
        "since": there["LastModifiedTime"],
        "variants": [_variant(each) for each in there.get("ProductionVariants", ())],
        "components": [_component(each) for each in parts],
        "scaling": [_target(each) for each in targets],
        "cost": [*_costs(aws, there, targets, parts), str(idle.asked(aws, there, IDLE_DAYS))],
    }


def _costs(
    aws: Aws, there: Mapping[str, Any], targets: list[dict[str, Any]], parts: list[Mapping[str, Any]]
) -> list[str]:
    config = aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=there["EndpointConfigName"])
    calls = [Call("sagemaker", "CreateEndpointConfig", config, "")]
    calls += [Call("application-autoscaling", "RegisterScalableTarget", each, "") for each in targets]
    for each in parts:
        told = {"VariantName": each["VariantName"], "RuntimeConfig": {"CopyCount": _copies(each, "Desired")}}
        key = f"inference-component/{each['InferenceComponentName']}"
        calls.append(Call("sagemaker", "CreateInferenceComponent", told, key))
    return [str(each) for each in uses.of(calls)]


def _described(aws: Aws, component: str) -> Mapping[str, Any]:
    return aws.call("sagemaker", "DescribeInferenceComponent", InferenceComponentName=component)


def _copies(component: Mapping[str, Any], which: str) -> int:
    return int(component.get("RuntimeConfig", {}).get(f"{which}CopyCount", 0))


def _variant(each: Mapping[str, Any]) -> Told:
    images = [image.get("ResolvedImage", image.get("SpecifiedImage", "")) for image in each.get("DeployedImages", ())]
    names = {"CurrentInstanceCount": "instances", "DesiredInstanceCount": "wanted", "CurrentWeight": "weight"}
    told = {word: each[name] for name, word in names.items() if name in each}
    return {"name": each["VariantName"], "images": images, **told}


def _component(there: Mapping[str, Any]) -> Told:
    return {
        "name": there["InferenceComponentName"],
        "status": there["InferenceComponentStatus"],
        "copies": _copies(there, "Current"),
        "model": there.get("Specification", {}).get("ModelName", ""),
    }


def _target(each: Mapping[str, Any]) -> Told:
    return {"of": each["ResourceId"], "min": each["MinCapacity"], "max": each["MaxCapacity"]}


def _lines(told: Told) -> Iterator[str]:
    there, last_run = told["endpoint"], told["last_run"] or {}
    if there is None:
        yield f"{told['name']}: no endpoint in {told['region']}"
    else:
        since = f"{there['configuration']} since {_utc(there['since'])}"
        yield f"{told['name']}: {there['status']} in {told['region']}, {since}"
        yield from _details(there)
    yield from (f"  running: {job}" for job in told["jobs"])
    for each in told["newest_jobs"]:
        if each["job"] not in told["jobs"]:
            yield from _job(each)
    if package := told["registered"]:
        yield f"  registered {' '.join(results.lines(package))} {package['approval']}".rstrip()
    if there and (verb := there["unfinished"]) and verb != last_run.get("verb"):
        yield f"  `{verb}` has not come to its end; `python -m deploy {verb}` goes on"
    if last_run:
        yield f"  {_unfinished(**last_run)}"


def _job(told: Told) -> Iterator[str]:
    reason = f": {told['reason']} {cause(told['reason'])}".rstrip() if told["reason"] else ""
    yield f"  {told['job']}, begun {_utc(told['begun'])}, is {told['status']}{reason}"
    yield from (f"    {line}" for line in results.lines(told))


def _unfinished(verb: str, end: str | None, reason: str, after: str, go_on: str) -> str:
    step = f" after {after}" if after else ""
    if end == "failed":
        return f"`{verb}` failed{step}: {reason.rstrip('.')}. `{go_on}` goes on"
    if end == "left":
        return f"`{verb}` has begun, as far as {after}; when AWS is done, `{go_on}` sees to the rest"
    if end == "interrupted":
        return f"`{verb}` was interrupted{step}; `{go_on}` goes on"
    return f"`{verb}` has not come to its end{step}: it runs still, or was killed, and `{go_on}` goes on"


def _utc(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _details(there: Told) -> Iterator[str]:
    if there["reason"]:
        yield f"  {there['reason']} {cause(there['reason'])}"
    if there["coming"]:
        yield f"  coming: {there['coming']}"
    for each in there["variants"]:
        yield f"  {each['name']}: {_said(each)}"
    for each in there["components"]:
        yield f"  {each['name']}: {each['status']}, {each['copies']} copies, {each['model']}"
    for each in there["scaling"]:
        yield f"  scales: {each['of']} from {each['min']} to {each['max']}"
    yield from (f"  {each}" for each in there["cost"])
    if there["previous"] and not _runs_it(there):
        yield f"  the version before, for `rollback`: {', '.join([there['previous'], *there['previous_models']])}"


def _runs_it(there: Told) -> bool:
    """The version before, as after `rollback`."""
    models = {each["model"] for each in there["components"]}
    return there["previous"] == there["configuration"] and models.issuperset(there["previous_models"])


def _said(variant: Told) -> str:
    size = f"{variant['instances']} of {variant['wanted']} instances" if "wanted" in variant else "no instances"
    return ", ".join([size, f"weight {variant.get('weight', 1)}", *variant["images"]])
