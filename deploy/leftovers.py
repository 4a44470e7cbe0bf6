"""What we made once and no longer want: removed last, after the switch is seen to be done. Called by plan."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import names, owned, previous, removals
from deploy.aws import Aws
from deploy.call import Call
from deploy.change import Change
from deploy.owned import Owned
from deploy.previous import State
from deploy.rules.parts import of, variants_in
from deploy.switch import Switch


def of_what_runs(aws: Aws, calls: list[Call], switch: Switch) -> Iterator[Change]:
    """Scaling and components. Nothing of an endpoint that is not there yet."""
    if switch.there is None:
        return
    wanted = {call.key for call in calls}
    yield from (Change("delete", call) for call in _scaling(aws, wanted, switch))
    parts = (removals.of("inference-component", each) for each in switch.components)
    yield from (Change("delete", call) for call in parts if call.key not in wanted)


def unused(aws: Aws, calls: list[Call], switch: Switch, back_to: State | None) -> Iterator[Change]:
    """Configurations and models of neither the wanted version nor the one that `rollback` goes back to.

    Models first: a configuration that is still there tells a next run which they were.
    """
    if switch.there is None:
        return
    back_to = back_to or State("")
    keep = {call.name for call in of(calls, "CreateEndpointConfig")} | {back_to.configuration}
    gone = list(owned.named(aws, "endpoint-config", switch.config.name, but=keep))
    models = {call.name for call in of(calls, "CreateModel")} | back_to.models
    parts = {names.prefix_of(each) for each in (*switch.components, *_noted(switch), *_wanted_components(calls))}
    if gone or parts:
        models |= {model for name in keep - {""} for model in models_of(aws, name)}
        unused = _models(aws, switch.config.name, gone, parts, but=models)
        yield from (Change("delete", removals.of("model", each)) for each in unused)
    yield from (Change("delete", removals.of("endpoint-config", each.name)) for each in gone)


def _noted(switch: Switch) -> Iterator[str]:
    """Components that the version before had, and no longer will when this run has noted another."""
    state = previous.noted(previous.PREVIOUS, switch.tags)
    yield from state.components if state else ()


def _wanted_components(calls: list[Call]) -> Iterator[str]:
    return (call.name for call in of(calls, "CreateInferenceComponent"))


def _models(aws: Aws, app: str, gone: list[Owned], parts: set[str], but: set[str]) -> Iterator[str]:
    """Those that these configurations name, or that these components once ran; a job's models are its own."""
    named = {model for each in gone for model in models_of(aws, each.name)} - but
    if named or parts:
        found = (each.name for each in owned.named(aws, "model", app, but=but))
        yield from (each for each in found if each in named or names.without_digest(each) in parts)


def _scaling(aws: Aws, wanted: set[str], switch: Switch) -> Iterator[Call]:
    app = switch.config.name
    for target in owned.targets(aws, app, switch.components):
        if f"scalable-target/{target['ResourceId']}" not in wanted:
            yield removals.target(target)
            continue
        told = [removals.policy(each) for each in owned.policies(aws, target)]
        told += [removals.schedule(each) for each in owned.schedules(aws, target)]
        yield from (call for call in told if call.key not in wanted)
    yield from (removals.alarm(each.name) for each in owned.alarms(aws, app) if each.key not in wanted)


def models_of(aws: Aws, configuration: str) -> set[str]:
    there = aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=configuration) or {}
    return {each["ModelName"] for each in variants_in(there) if "ModelName" in each}
