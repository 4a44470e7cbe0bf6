"""The model registry, and Inference Recommender: which instance type to choose. Called by requests."""

from __future__ import annotations

from deploy import names
from deploy.call import Call, Parameters, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import jobs, model
from deploy.sections import Variant

SETTLE_S = 120
"""How long each number of clients is kept up by an Advanced job."""


def package(config: Config, facts: Facts) -> list[Call]:
    """A model package group, and this image with this artifact as its next version."""
    here, group = config.registry, config.registry.group or config.name
    tags = names.as_list(names.tags(config, facts))
    types = list(here.instance_types)
    wanted = given(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [_container(config)],
            "SupportedContentTypes": list(here.content_types),
            "SupportedResponseMIMETypes": list(here.response_types),
            "SupportedRealtimeInferenceInstanceTypes": types,
            "SupportedTransformInstanceTypes": types,
        },
    )
    told = given(
        ModelApprovalStatus="Approved" if here.approve else "PendingManualApproval",
        ModelPackageDescription=f"{names.digest(wanted)} {here.description}".rstrip(),
        MetadataProperties=given(CommitId=facts.git_sha),
        ClientToken=names.digest({**wanted, "description": here.description}),
    )
    make_group = {"ModelPackageGroupName": group, "Tags": tags}
    return [
        Call("sagemaker", "CreateModelPackageGroup", make_group, f"model-package-group/{group}"),
        Call("sagemaker", "CreateModelPackage", wanted | told, f"model-package/{group}-{names.digest(wanted)}"),
    ]


def _container(config: Config) -> Parameters:
    return given(Image=config.image, **model.data(config.artifact), Environment=dict(config.environment))


def recommend(config: Config, facts: Facts) -> list[Call]:
    """The model, and a job that loads it on each instance type."""
    here, made = config.recommend, model.create(config, facts, Variant())
    wanted = given(
        JobType="Advanced" if here.users else "Default",
        RoleArn=config.role,
        InputConfig=given(
            ModelName=made.name,
            JobDurationInSeconds=here.duration_s,
            ContainerConfig=given(
                Domain=here.domain,
                Task=here.task,
                Framework=here.framework,
                FrameworkVersion=here.framework_version,
                PayloadConfig={"SamplePayloadUrl": here.sample, "SupportedContentTypes": list(here.content_types)},
                SupportedInstanceTypes=list(here.instance_types),
            ),
            **(_advanced(config) if here.users else {}),
        ),
        StoppingConditions=_stopping(here.latency_ms) if here.users else None,
    )
    return [made, jobs.job(config, facts, "CreateInferenceRecommendationsJob", "JobName", "recommender-job", wanted)]


def _advanced(config: Config) -> Parameters:
    phases = [{"InitialNumberOfUsers": config.recommend.users, "SpawnRate": 1, "DurationInSeconds": SETTLE_S}]
    each = [{"InstanceType": kind} for kind in config.recommend.instance_types]
    return {"TrafficPattern": {"TrafficType": "PHASES", "Phases": phases}, "EndpointConfigurations": each}


def _stopping(latency_ms: int | None) -> Parameters | None:
    if latency_ms is None:
        return None
    return {"ModelLatencyThresholds": [{"Percentile": "P95", "ValueInMilliseconds": latency_ms}]}
