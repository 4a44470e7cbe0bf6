"""Inference components: models that share the instances of an endpoint. Called by requests."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import names
from deploy.call import Call, Parameters, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import model, timeouts
from deploy.requests.model import all_variants
from deploy.sections import Component


def components(config: Config, facts: Facts) -> Iterator[Call]:
    """A model for each, then a component for each, on the first variant's instances."""
    models = [model.create(config, facts, each) for each in config.components]
    yield from models
    yield from (_component(config, facts, each, made) for each, made in zip(config.components, models, strict=True))


def name_of(config: Config, component: Component) -> str:
    return names.component(config.name, component.name)


def _component(config: Config, facts: Facts, component: Component, made: Call) -> Call:
    name = name_of(config, component)
    parameters = {
        "InferenceComponentName": name,
        "EndpointName": config.name,
        "VariantName": all_variants(config)[0].name,
        "Specification": _specification(config, facts, component, made),
        "RuntimeConfig": {"CopyCount": component.copies},
        "Tags": names.as_list(names.tags(config, facts)),
    }
    return Call("sagemaker", "CreateInferenceComponent", parameters, f"inference-component/{name}")


def _specification(config: Config, facts: Facts, component: Component, made: Call) -> Parameters:
    artifact = component.artifact or config.artifact
    return given(
        ModelName=made.name,
        StartupParameters=given(
            ModelDataDownloadTimeoutInSeconds=timeouts.download_s(config, facts, artifact),
            ContainerStartupHealthCheckTimeoutInSeconds=timeouts.startup_s(config, facts, artifact),
        ),
        ComputeResourceRequirements=given(
            NumberOfCpuCoresRequired=component.cpus,
            NumberOfAcceleratorDevicesRequired=component.accelerators,
            MinMemoryRequiredInMb=component.memory_mb,
            MaxMemoryRequiredInMb=component.max_memory_mb,
        ),
    )
