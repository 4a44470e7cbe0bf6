"""python -m deploy rollback: back to the version before, which is kept for it. Twice is once; `up` goes forth again."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy import flags, names, notes, owned, plan, shapes
from deploy.apply import Apply
from deploy.aws import Aws
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError
from deploy.facts import Facts, git_sha
from deploy.failure import explained
from deploy.interruption import command
from deploy.previous import State
from deploy.record import Journal
from deploy.requests import components, endpoint, scaling
from deploy.rules.parts import variants_in
from deploy.switch import Switch
from deploy.terminal import Terminal
from deploy.wait import Failed, Pace, until_components_still, until_still


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser)
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    config = _config(args, terminal)
    told = rolled_back(Aws(config.region), config, terminal, Pace(args.poll, args.timeout), words=args.words)
    terminal.result(told, "\n".join(_lines(told)))
    return 0


def _config(args: argparse.Namespace, terminal: Terminal) -> Config:
    """The file may be the new version's, half written; name and region are enough."""
    try:
        return flags.config(args)
    except DeployError as error:
        name, region = flags.name_and_region(args)
        terminal.warn(f"{error.reason}; its scaling and its way to update are left out")
        return Config(name=name, region=region)


def rolled_back(
    aws: Aws, config: Config, terminal: Terminal, pace: Pace, *, words: Sequence[str] = ("rollback",)
) -> dict[str, Any]:
    """What runs now. Raises DeployError where there is nothing to go back to."""
    until_still(aws, config.name, pace.again(), terminal)
    until_components_still(aws, config.name, pace.again(), terminal)
    state, configuration = _before(aws, config)
    older = _scaled_as_before(config, configuration, state)
    switch = Switch(aws, older, list(_calls(older, configuration, state)))
    planned = plan.back(aws, switch, state)
    if planned.changes:
        journal = Journal.of(config.name)
        journal.begin("rollback", name=config.name, region=aws.region, command=command(words))
        try:
            Apply(aws, journal, pace, terminal).run(planned)
        except Failed as failed:
            raise explained(aws, failed) from None
        journal.finish()
    models = {name: each["Specification"]["ModelName"] for name, each in state.components.items()}
    stay = [name for name in switch.components if name not in state.components]
    told = {"name": config.name, "configuration": state.configuration, "components": models, "stay": stay}
    return told | {"changed": bool(planned.changes)}


def _before(aws: Aws, config: Config) -> tuple[State, Mapping[str, Any]]:
    """The version to go back to, and its configuration as AWS describes it."""
    switch = Switch(aws, dataclasses.replace(config, mode="realtime"), [])  # whatever the file is about by now
    if switch.there is None:
        raise owned.missing(aws, config.name)
    state = notes.before(switch.tags)
    found = aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=state.configuration) if state else None
    if state is None or found is None:
        raise DeployError(f"{config.name} has no version before this one.", "Deploy the older image with `up`.")
    if switch.components and not state.components:
        text = "The version before had no inference components, and they would stay in its way."
        raise DeployError(text, "Write the older version in deploy.toml and run `up`: it removes them.")
    return _with_copies_of_now(state, switch), found


def _with_copies_of_now(state: State, switch: Switch) -> State:
    """How many there are follows the load, not the version."""
    now = switch.state.components
    parts = {
        name: {**each, "RuntimeConfig": now.get(name, each)["RuntimeConfig"]} for name, each in state.components.items()
    }
    return dataclasses.replace(state, components=parts)


def _scaled_as_before(config: Config, configuration: Mapping[str, Any], state: State) -> Config:
    """Without the scaling of what the older version has not."""
    there = {each["VariantName"] for each in variants_in(configuration)}
    asked = [each.name for each in scaling.scaled_variants(config)]
    return dataclasses.replace(
        config,
        mode=_mode(configuration),
        scaling=config.scaling if there.intersection(asked) else None,
        variants=tuple(each for each in config.variants if each.name in there),
        components=tuple(each for each in config.components if components.name_of(config, each) in state.components),
    )


def _mode(configuration: Mapping[str, Any]) -> str:
    """As far as scaling differs by it."""
    if "AsyncInferenceConfig" in configuration:
        return "async"
    return "serverless" if any("ServerlessConfig" in each for each in variants_in(configuration)) else "realtime"


def _calls(config: Config, configuration: Mapping[str, Any], state: State) -> Iterator[Call]:
    """As `up` would have them, with what is older in the place of what is new."""
    facts, name = Facts(git_sha()), state.configuration
    members = shapes.service("sagemaker").operation_model("CreateEndpointConfig").input_shape.members
    parameters = {key: value for key, value in configuration.items() if key in members}
    yield (older := Call("sagemaker", "CreateEndpointConfig", parameters, f"endpoint-config/{name}"))
    yield endpoint.endpoint(config, facts, older)
    tags = {"Tags": names.as_list({**names.tags(config, facts), **state.tags})}
    for name, each in state.components.items():
        said = {"InferenceComponentName": name, "EndpointName": config.name, **each, **tags}
        yield Call("sagemaker", "CreateInferenceComponent", said, f"inference-component/{name}")
    yield from scaling.scaling(config, facts)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    again = "again" if told["changed"] else "already, the version before"
    yield f"{told['name']} runs {told['configuration']} {again}. `up` goes to what deploy.toml says."
    yield from (f"  {name}: {model}" for name, model in told["components"].items())
    yield from (f"  {name} has come since and stays" for name in told["stay"])
