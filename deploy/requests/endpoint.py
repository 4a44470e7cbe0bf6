"""CreateEndpointConfig and CreateEndpoint: variants, capture, async, and how a new configuration takes over."""

from __future__ import annotations

from collections.abc import Mapping

from deploy import names
from deploy.call import Call, Parameters, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import timeouts
from deploy.requests.model import all_variants
from deploy.sections import Variant

ROUTING = {"least-outstanding": "LEAST_OUTSTANDING_REQUESTS", "random": "RANDOM"}
CAPTURED = {"input": ("Input",), "output": ("Output",), "both": ("Input", "Output")}
STRATEGIES = {"all-at-once": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR"}
TOPICS = ("SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC")
UNITS = {"percent": "CAPACITY_PERCENT", "instances": "INSTANCE_COUNT"}


def configuration(config: Config, facts: Facts, models: Mapping[str, Call]) -> Call:
    """CreateEndpointConfig over the models, by variant; without models for inference components."""
    variants = {each.name: _variant(config, facts, each, models.get(each.name)) for each in all_variants(config)}
    shadow = variants.pop(config.shadow.name, None) if config.shadow else None
    wanted = given(
        ProductionVariants=list(variants.values()),
        ShadowProductionVariants=[shadow] if shadow else None,
        AsyncInferenceConfig=_async(config) if config.mode == "async" else None,
        DataCaptureConfig=_capture(config),
        KmsKeyId=config.instances.kms_key if config.mode != "serverless" else None,
        **(_of_components(config) if config.components else {}),
    )
    name = names.by_content(config.name, wanted)
    tags = names.as_list(names.tags(config, facts))
    parameters = {"EndpointConfigName": name, **wanted, "Tags": tags}
    return Call("sagemaker", "CreateEndpointConfig", parameters, f"endpoint-config/{name}")


def endpoint(config: Config, facts: Facts, configuration: Call) -> Call:
    parameters = given(
        EndpointName=config.name,
        EndpointConfigName=configuration.name,
        DeploymentConfig=_deployment(config),
        Tags=names.as_list(names.tags(config, facts)),
    )
    return Call("sagemaker", "CreateEndpoint", parameters, f"endpoint/{config.name}")


def _variant(config: Config, facts: Facts, variant: Variant, model: Call | None) -> Parameters:
    told = given(VariantName=variant.name, ModelName=model.name if model else None)
    if config.mode == "serverless":
        return told | {"InitialVariantWeight": variant.weight, "ServerlessConfig": _serverless(config)}
    here, artifact = config.instances, variant.artifact or config.artifact
    return told | given(
        InstanceType=variant.type or here.type,
        InitialInstanceCount=here.count if variant.count is None else variant.count,
        InitialVariantWeight=variant.weight if model else None,
        VolumeSizeInGB=here.volume_gb,
        ContainerStartupHealthCheckTimeoutInSeconds=timeouts.startup_s(config, facts, artifact) if model else None,
        ModelDataDownloadTimeoutInSeconds=timeouts.download_s(config, facts, artifact) if model else None,
        RoutingConfig=given(RoutingStrategy=ROUTING.get(here.routing or "")),
        InferenceAmiVersion=here.ami,
        ManagedInstanceScaling=_managed(config) if config.components else None,
    )


def _managed(config: Config) -> Parameters | None:
    here = config.instances
    bounds = given(MinInstanceCount=here.min_count, MaxInstanceCount=here.max_count)
    return {"Status": "ENABLED", **bounds} if bounds else None


def _of_components(config: Config) -> Parameters:
    """What a model would say, where components bring the models."""
    network = config.network
    return given(
        ExecutionRoleArn=config.role,
        VpcConfig=given(Subnets=list(network.subnets), SecurityGroupIds=list(network.security_groups)),
        EnableNetworkIsolation=network.isolation or None,
    )


def _serverless(config: Config) -> Parameters:
    here = config.serverless
    return given(
        MemorySizeInMB=here.memory_mb,
        MaxConcurrency=here.max_concurrency,
        ProvisionedConcurrency=here.provisioned_concurrency,
    )


def _async(config: Config) -> Parameters:
    here = config.asynchronous
    return given(
        ClientConfig=given(MaxConcurrentInvocationsPerInstance=here.concurrency),
        OutputConfig=given(
            S3OutputPath=here.output,
            S3FailurePath=here.failures,
            KmsKeyId=here.kms_key,
            NotificationConfig=given(
                SuccessTopic=here.success_topic,
                ErrorTopic=here.error_topic,
                IncludeInferenceResponseIn=list(TOPICS) if here.topics_have_answers else None,
            ),
        ),
    )


def _capture(config: Config) -> Parameters | None:
    if (here := config.capture) is None:
        return None
    types = given(CsvContentTypes=list(here.csv_types), JsonContentTypes=list(here.json_types))
    return given(
        EnableCapture=True,
        InitialSamplingPercentage=here.percent,
        DestinationS3Uri=here.output,
        KmsKeyId=here.kms_key,
        CaptureOptions=[{"CaptureMode": side} for side in CAPTURED[here.what]],
        CaptureContentTypeHeader=types,
    )


def _deployment(config: Config) -> Parameters:
    """How UpdateEndpoint goes about it; nothing for all at once without alarms, which is AWS's way by itself."""
    here = config.update
    rollback = given(AutoRollbackConfiguration=given(Alarms=[{"AlarmName": each} for each in here.alarms]))
    if here.strategy == "rolling":
        policy = given(
            MaximumBatchSize=_size(here.size, here.unit),
            WaitIntervalInSeconds=here.wait_s,
            MaximumExecutionTimeoutInSeconds=here.timeout_s,
            RollbackMaximumBatchSize=_size(here.rollback_size, here.unit) if here.rollback_size else None,
        )
        return {"RollingUpdatePolicy": policy, **rollback}
    if here.strategy == "all-at-once" and not rollback and here.terminate_wait_s is None:
        return {}
    return {"BlueGreenUpdatePolicy": _blue_green(config), **rollback}


def _blue_green(config: Config) -> Parameters:
    here = config.update
    sizes = {"canary": "CanarySize", "linear": "LinearStepSize"}
    routing: Parameters = {"Type": STRATEGIES[here.strategy], "WaitIntervalInSeconds": here.wait_s}
    if here.strategy in sizes:
        routing[sizes[here.strategy]] = _size(here.size, here.unit)
    return given(
        TrafficRoutingConfiguration=routing,
        TerminationWaitInSeconds=here.terminate_wait_s,
        MaximumExecutionTimeoutInSeconds=here.timeout_s,
    )


def _size(value: int, unit: str) -> Parameters:
    return {"Type": UNITS[unit], "Value": value}
