"""Everything that can be known before the first call: shapes and rules, all named together. Called by plan and up."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import rules, shapes, unread
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError
from deploy.problem import Problem
from deploy.rules import parts


def check(calls: list[Call], config: Config) -> list[str]:
    """What may be wrong, as warnings. Raises DeployError for all that is."""
    without_effect = unread.check(config)
    found = [*shapes.problems(calls), *rules.problems(calls), *_elsewhere(calls, config)]
    if wrong := [str(each) for each in found if not each.warning]:
        raise DeployError("AWS would refuse this: " + "; ".join(wrong), "Change deploy.toml; nothing was done.")
    return [*(str(each) for each in found if each.warning), *without_effect]


def _elsewhere(calls: list[Call], config: Config) -> Iterator[Problem]:
    """Image and endpoint share a region: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"""
    for call in parts.of(calls, "CreateModel"):
        for region in sorted({parts.region_of(each.get("Image", "")) for each in parts.containers(call)} - {""}):
            if config.region and region != config.region:
                text = f"the image is in {region}, the deployment in {config.region}; push it there too"
                yield Problem(call.key, text)
