"""CreateModel: one container, many models in one container, or several containers. Called by requests and its files."""

from __future__ import annotations

from typing import Any

from deploy import names
from deploy.call import Call, Parameters, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import timeouts
from deploy.sections import Component, Container, Variant

PROFILES = {"serverless": "serverless", "async": "asynchronous"}
"""The container's settings profile of a mode that the container cannot tell from its environment."""


def of_variants(config: Config, facts: Facts) -> dict[str, Call]:
    """CreateModel for each variant, by the variant's name; the shadow is one of them."""
    return {each.name: create(config, facts, each) for each in all_variants(config)}


def all_variants(config: Config) -> tuple[Variant, ...]:
    return (*(config.variants or (Variant(),)), *((config.shadow,) if config.shadow else ()))


def create(config: Config, facts: Facts, part: Variant | Component) -> Call:
    wanted = given(
        ExecutionRoleArn=config.role,
        **_containers(config, facts, part),
        VpcConfig=given(Subnets=list(config.network.subnets), SecurityGroupIds=list(config.network.security_groups)),
        EnableNetworkIsolation=config.network.isolation or None,
    )
    name = names.by_content(f"{config.name}-{part.name}", wanted)
    tags = names.as_list(names.tags(config, facts))
    return Call("sagemaker", "CreateModel", {"ModelName": name, **wanted, "Tags": tags}, f"model/{name}")


def _containers(config: Config, facts: Facts, part: Variant | Component) -> Parameters:
    match config.mode:
        case "multi-container" | "pipeline":
            mode = "Direct" if config.mode == "multi-container" else "Serial"
            each = [_container(config, facts, container) for container in config.containers]
            return {"Containers": each, "InferenceExecutionConfig": {"Mode": mode}}
        case "multi-model":
            cache = {"ModelCacheSetting": "Enabled" if config.multi_model.cache else "Disabled"}
            return {
                "PrimaryContainer": _container(config, facts, part) | {"Mode": "MultiModel", "MultiModelConfig": cache}
            }
    return {"PrimaryContainer": _container(config, facts, part)}


def _container(config: Config, facts: Facts, part: Container | Variant | Component) -> Parameters:
    artifact = part.artifact or (None if isinstance(part, Container) else config.artifact)
    return given(
        ContainerHostname=part.hostname if isinstance(part, Container) else None,
        Image=part.image or config.image,
        Environment=_environment(config, facts, artifact) | dict(part.environment),
        **data(artifact, config.mode),
    )


def _environment(config: Config, facts: Facts, artifact: str | None) -> dict[str, str]:
    ours: dict[str, str] = {}
    if config.mode in PROFILES:
        ours["SERVING_PROFILE"] = PROFILES[config.mode]
    if (wait_s := timeouts.startup_s(config, facts, artifact)) and wait_s > timeouts.CONTAINERS_OWN_S:
        ours["SAGEMAKER_STARTUP_TIMEOUT"] = str(wait_s)
    return ours | dict(config.environment)


def data(artifact: str | None, mode: str = "") -> dict[str, Any]:
    """Where the artifact is: an archive, or files under a prefix, which start faster as nothing is unpacked."""
    if not artifact or not artifact.endswith("/") or mode == "multi-model":
        return given(ModelDataUrl=artifact)
    return {
        "ModelDataSource": {"S3DataSource": {"S3Uri": artifact, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    }
