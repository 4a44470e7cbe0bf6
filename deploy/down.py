"""Everything that carries our tags, in the order in which it can go. Called by the verb down.

Nothing has to be remembered: what a killed `up` or another machine left behind is found by name and tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy import leftovers, owned, removals
from deploy.aws import Aws
from deploy.call import Call
from deploy.change import Change, Plan
from deploy.errors import DeployError
from deploy.kinds import JOBS, KINDS

RUNNING = {"InProgress", "IN_PROGRESS", "PENDING", "Pending"}


def plan(aws: Aws, app: str, *, registry: bool = False) -> Plan:
    """Scaling, components, endpoint, configurations, models; running jobs; registered models only where asked for."""
    endpoint = owned.endpoint(aws, app)
    ours = endpoint is not None and owned.is_ours(aws.tags(endpoint["EndpointArn"]), app)
    keep = _in_use(aws, endpoint) if endpoint and not ours else set()
    found = [*(_of_endpoint(aws, app) if ours else ()), *(removals.alarm(each.name) for each in owned.alarms(aws, app))]
    found += [removals.of("endpoint", app)] if ours else []
    for kind in ("endpoint-config", "model"):
        found += [removals.of(kind, each.name) for each in owned.named(aws, kind, app, but=keep)]
    found += [removals.of(each.kind, each.name) for each in running_jobs(aws, app)]
    found += [*(_registry(aws, app) if registry else ())]
    warnings = () if ours or endpoint is None else (f"the endpoint {app} has not our tags and stays",)
    return Plan(tuple(Change("delete", call) for call in found), endpoint if ours else None, warnings)


def running_jobs(aws: Aws, app: str) -> Iterator[owned.Owned]:
    """Ended ones stay as what AWS remembers: jobs cannot be deleted, and cost nothing."""
    for kind in JOBS:
        for each in owned.named(aws, kind, app):
            row = KINDS[kind]
            there = aws.find("sagemaker", row.describe, **{row.name: each.name}) or {}
            if there.get(row.status) in RUNNING:
                yield each


def _of_endpoint(aws: Aws, app: str) -> Iterator[Call]:
    """What cannot be without it, from the outside in."""
    parts = owned.components(aws, app)
    yield from (removals.target(each) for each in owned.targets(aws, app, [each.name for each in parts]))
    yield from (removals.of("inference-component", each.name) for each in parts)


def _in_use(aws: Aws, endpoint: Mapping[str, Any]) -> set[str]:
    """What an endpoint runs that somebody took over from us."""
    name = endpoint["EndpointConfigName"]
    return {name, *leftovers.models_of(aws, name)}


def _registry(aws: Aws, app: str) -> Iterator[Call]:
    for group in owned.named(aws, "model-package-group", app):
        packages = aws.every(
            "sagemaker", "ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=group.name
        )
        yield from (removals.package(each["ModelPackageArn"]) for each in packages)
        yield removals.of("model-package-group", group.name)


def nothing_left(aws: Aws, app: str, *, registry: bool = False) -> None:
    """Looks once more. Raises DeployError naming what is still there."""
    left = [each.call.key for each in plan(aws, app, registry=registry).every]
    if left:
        raise DeployError(f"Still there: {', '.join(left)}.", "Run `python -m deploy down` again.")
