"""python -m deploy rollback: back to the configuration that ran before, which is kept for it. Twice is forth again."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from deploy import flags, plan, shapes
from deploy.apply import Apply
from deploy.aws import Aws
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError
from deploy.facts import Facts, git_sha
from deploy.failure import explained
from deploy.record import Journal
from deploy.requests import endpoint, scaling
from deploy.switch import Switch
from deploy.terminal import Terminal
from deploy.wait import Failed, Pace, until_still


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add(parser)
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    config = flags.config(args)
    told = rolled_back(Aws(config.region), config, terminal, Pace(args.poll, args.timeout))
    text = f"{told['name']} runs {told['configuration']} again. deploy.toml says otherwise: `up` would go forth again."
    terminal.result(told, text)
    return 0


def rolled_back(aws: Aws, config: Config, terminal: Terminal, pace: Pace) -> dict[str, Any]:
    """What runs now. Raises DeployError where there is nothing to go back to."""
    until_still(aws, config.name, pace.again(), terminal)
    previous = _previous(aws, config)
    wanted = plan.make(aws, config, list(_calls(config, previous)))
    journal = Journal.of(config.name)
    journal.begin("rollback", name=config.name, region=aws.region)
    try:
        Apply(aws, journal, pace, terminal).run(wanted)
    except Failed as failed:
        raise explained(aws, failed) from None
    journal.finish()
    return {"name": config.name, "configuration": previous["EndpointConfigName"]}


def _previous(aws: Aws, config: Config) -> dict[str, Any]:
    switch = Switch(aws, config, [])
    if switch.there is None:
        raise DeployError(f"There is no endpoint {config.name}.", "Run `python -m deploy up`.")
    if config.components:
        text = "Inference components change one by one; a rollback of the endpoint would not take them along."
        raise DeployError(text, "Write the older image or artifact in deploy.toml and run `up`.")
    name = switch.previous
    found = aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name) if name else None
    if found is None or name == switch.there["EndpointConfigName"]:
        raise DeployError(f"{config.name} has no version before this one.", "Deploy the older image with `up`.")
    return found


def _calls(config: Config, previous: dict[str, Any]) -> Iterator[Call]:
    """As `up` would have them, with the older configuration in the place of the new one."""
    facts, name = Facts(git_sha()), previous["EndpointConfigName"]
    members = shapes.service("sagemaker").operation_model("CreateEndpointConfig").input_shape.members
    parameters = {key: value for key, value in previous.items() if key in members}
    older = Call("sagemaker", "CreateEndpointConfig", parameters, f"endpoint-config/{name}")
    yield older
    yield endpoint.endpoint(config, facts, older)
    yield from scaling.scaling(config, facts)
