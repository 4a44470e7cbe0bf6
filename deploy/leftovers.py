"""What we made once and no longer want: removed last, after the switch is seen to be done. Called by plan."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import owned, removals
from deploy.aws import Aws
from deploy.call import Call
from deploy.change import Change
from deploy.config import Config
from deploy.rules.parts import of, variants_in
from deploy.switch import WITHOUT_ENDPOINT, Switch


def changes(aws: Aws, config: Config, calls: list[Call], switch: Switch) -> Iterator[Change]:
    """Nothing of an endpoint that is not there yet, but for what a killed run may have left."""
    if config.mode in WITHOUT_ENDPOINT or switch.there is None:
        return
    wanted = {call.key for call in calls}
    parts = owned.components(aws, config.name)
    yield from (Change("delete", call) for call in _scaling(aws, config, wanted, parts))
    yield from (Change("delete", call) for call in _components(wanted, parts))
    yield from (Change("delete", call) for call in _models_and_configurations(aws, calls, switch, parts))


def _scaling(aws: Aws, config: Config, wanted: set[str], parts: list[owned.Owned]) -> Iterator[Call]:
    for target in owned.targets(aws, config.name, [each.name for each in parts]):
        if f"scalable-target/{target['ResourceId']}" not in wanted:
            yield removals.target(target)
            continue
        told = [removals.policy(each) for each in owned.policies(aws, target)]
        told += [removals.schedule(each) for each in owned.schedules(aws, target)]
        yield from (call for call in told if call.key not in wanted)
    yield from (removals.alarm(each.name) for each in owned.alarms(aws, config.name) if each.key not in wanted)


def _components(wanted: set[str], parts: list[owned.Owned]) -> Iterator[Call]:
    yield from (removals.of("inference-component", each.name) for each in parts if each.key not in wanted)


def _models_and_configurations(aws: Aws, calls: list[Call], switch: Switch, parts: list[owned.Owned]) -> Iterator[Call]:
    """All configurations but the wanted one and the one to go back to, and the models that nothing names then.

    Models first: a configuration that is still there tells a next run which they were.
    """
    app, there = switch.config.name, switch.there or {}
    keep = {call.name for call in of(calls, "CreateEndpointConfig")} | {str(there["EndpointConfigName"])}
    keep |= set() if switch.switches else {switch.previous} - {""}
    gone = list(owned.named(aws, "endpoint-config", app, but=keep))
    models = {model for each in gone for model in models_of(aws, each.name)}
    models |= {model for each in parts for model in _model_of_component(aws, each.name)}
    models -= {call.name for call in of(calls, "CreateModel")}
    if models:
        models -= {model for name in keep for model in models_of(aws, name)}
        yield from (removals.of("model", each.name) for each in owned.named(aws, "model", app) if each.name in models)
    yield from (removals.of("endpoint-config", each.name) for each in gone)


def models_of(aws: Aws, configuration: str) -> set[str]:
    there = aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=configuration) or {}
    return {each["ModelName"] for each in variants_in(there) if "ModelName" in each}


def _model_of_component(aws: Aws, component: str) -> set[str]:
    there = aws.find("sagemaker", "DescribeInferenceComponent", InferenceComponentName=component) or {}
    model = there.get("Specification", {}).get("ModelName")
    return {model} if model else set()
