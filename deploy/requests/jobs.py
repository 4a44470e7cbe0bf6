"""What runs once and ends: batch transform and training. Called by requests.

A job's name says what it does; plan puts a number behind it where a run of that name has failed.
"""

from __future__ import annotations

from deploy import names
from deploy.call import Call, Parameters, given
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import model
from deploy.sections import Variant


def transform(config: Config, facts: Facts) -> list[Call]:
    """The model, and CreateTransformJob with it."""
    here, made = config.batch, model.create(config, facts, Variant())
    wanted = given(
        ModelName=made.name,
        MaxConcurrentTransforms=here.max_concurrent,
        MaxPayloadInMB=here.max_payload_mb,
        BatchStrategy=here.strategy,
        ModelClientConfig=given(InvocationsTimeoutInSeconds=here.timeout_s, InvocationsMaxRetries=here.max_retries),
        Environment=dict(here.environment),
        TransformInput=given(
            DataSource={"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": here.input}},
            ContentType=here.content_type,
            CompressionType=here.compression,
            SplitType=here.split,
        ),
        TransformOutput=given(
            S3OutputPath=here.output, Accept=here.accept, AssembleWith=here.assemble, KmsKeyId=here.kms_key
        ),
        TransformResources={"InstanceType": here.type, "InstanceCount": here.count},
        DataProcessing=given(InputFilter=here.input_filter, OutputFilter=here.output_filter, JoinSource=here.join),
    )
    return [made, job(config, facts, "CreateTransformJob", "TransformJobName", "transform-job", wanted)]


def training(config: Config, facts: Facts) -> Call:
    here = config.training
    stopping = given(MaxRuntimeInSeconds=here.max_runtime_s, MaxWaitTimeInSeconds=_wait_s(config))
    wanted = given(
        RoleArn=config.role,
        AlgorithmSpecification=given(
            TrainingImage=config.image,
            TrainingInputMode=here.input_mode,
            MetricDefinitions=[{"Name": name, "Regex": regex} for name, regex in here.metrics.items()],
        ),
        HyperParameters=dict(here.hyperparameters),
        InputDataConfig=[_channel(config, name, address) for name, address in here.channels.items()],
        OutputDataConfig=given(S3OutputPath=here.output, KmsKeyId=here.kms_key),
        ResourceConfig={"InstanceType": here.type, "InstanceCount": here.count, "VolumeSizeInGB": here.volume_gb},
        StoppingCondition=stopping,
        EnableManagedSpotTraining=here.spot or None,
        CheckpointConfig=given(S3Uri=here.checkpoints),
        EnableNetworkIsolation=config.network.isolation or None,
        VpcConfig=given(Subnets=list(config.network.subnets), SecurityGroupIds=list(config.network.security_groups)),
        Environment=dict(here.environment),
    )
    return job(config, facts, "CreateTrainingJob", "TrainingJobName", "training-job", wanted)


def _wait_s(config: Config) -> int | None:
    """Spot has to say how long; an hour on top of the run where the file does not."""
    here = config.training
    return (here.max_wait_s or here.max_runtime_s + 3600) if here.spot else None


def _channel(config: Config, name: str, address: str) -> Parameters:
    source = {"S3DataType": "S3Prefix", "S3Uri": address, "S3DataDistributionType": "FullyReplicated"}
    return given(ChannelName=name, DataSource={"S3DataSource": source}, ContentType=config.training.content_type)


def job(config: Config, facts: Facts, operation: str, name_field: str, kind: str, wanted: Parameters) -> Call:
    name = names.by_content(f"{config.name}-{kind.partition('-')[0]}", wanted)
    tags = names.as_list(names.tags(config, facts))
    return Call("sagemaker", operation, {name_field: name, **wanted, "Tags": tags}, f"{kind}/{name}")
