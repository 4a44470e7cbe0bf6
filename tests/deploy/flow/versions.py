"""Versions of an endpoint in the tests of rollback: what to deploy, what runs, and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deploy.config import Config
from deploy.terminal import Terminal
from deploy.verbs import rollback
from deploy.wait import Pace
from tests.deploy.configs import config, feature
from tests.deploy.flow.conftest import Cloud

PLAIN = config(environment={"A": "1"})
SCALED = feature("async to zero", environment={"A": "1"})
COMPONENTS = feature("components to zero", environment={"A": "1"})
BAD = "The container did not pass the ping health check."


def back(cloud: Cloud, config: Config) -> dict[str, Any]:
    return rollback.rolled_back(cloud.aws, config, Terminal(), Pace(0.002, 10))


def newer(first: Config, run: str = "2") -> Config:
    """Another model, and more memory where there are components."""
    parts = tuple(replace(each, memory_mb=int(run) * 1024) for each in first.components)
    return replace(first, environment={"A": run}, components=parts)


def version(cloud: Cloud) -> dict[str, Any]:
    """What runs: the configuration, each component's specification, the scaling, and the tags that tell it."""
    records = cloud.double.shelf.records
    parts = {name: each["Specification"] for (_, noun, name), each in records.items() if noun == "InferenceComponent"}
    targets = cloud.aws.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
    scaled = sorted(each["ResourceId"] for each in targets["ScalableTargets"])
    here = cloud.endpoint()
    tags = cloud.aws.tags(here["EndpointArn"])
    assert (here["EndpointStatus"], tags.get("unfinished", "")) == ("InService", "")
    return {"configuration": here["EndpointConfigName"], "parts": parts, "scaled": scaled, "version": tags["version"]}


def unfinished(cloud: Cloud) -> str:
    return cloud.aws.tags(cloud.endpoint()["EndpointArn"]).get("unfinished", "")
