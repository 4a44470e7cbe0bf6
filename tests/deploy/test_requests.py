"""What each mode asks of AWS: complete requests that botocore's model and every rule accept."""

from __future__ import annotations

import pytest

from deploy import rules, shapes
from deploy.call import Call
from deploy.facts import Facts
from deploy.sections import MODES as MODE_NAMES
from tests.deploy.configs import FEATURES, JOBS, MODES, calls, config, feature, parameters

ALL = {**{name: config(name) for name in [*MODES, *JOBS]}, **{name: feature(name) for name in FEATURES}}


def operations(found: list[Call]) -> list[str]:
    return [call.operation for call in found]


def test_every_mode_is_here() -> None:
    assert tuple(MODES) == MODE_NAMES


@pytest.mark.parametrize("name", ALL)
def test_req_01_and_02_every_request_passes_the_strict_validator(name: str) -> None:
    """Warnings too: no planned request has a word that botocore does not know."""
    assert [str(each) for each in shapes.problems(calls(ALL[name]))] == []


@pytest.mark.parametrize("name", ALL)
def test_every_request_keeps_every_rule(name: str) -> None:
    assert [str(each) for each in rules.problems(calls(ALL[name]))] == []


@pytest.mark.parametrize("name", ALL)
def test_everything_that_can_have_tags_has_ours(name: str) -> None:
    """But a registered version: it has those of its group."""
    for call in calls(ALL[name]):
        can = "Tags" in shapes.service(call.service).operation_model(call.operation).input_shape.members
        assert ("Tags" in call.parameters) == (can and call.operation != "CreateModelPackage")


@pytest.mark.parametrize("name", ALL)
def test_keys_of_a_deployment_are_unique(name: str) -> None:
    keys = [call.key for call in calls(ALL[name])]
    assert len(set(keys)) == len(keys)


def test_realtime_is_a_model_a_configuration_and_an_endpoint_that_name_each_other() -> None:
    model, configuration, endpoint = calls(config())
    assert operations([model, configuration, endpoint]) == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    (variant,) = configuration.parameters["ProductionVariants"]
    assert (variant["ModelName"], endpoint.parameters["EndpointConfigName"]) == (model.name, configuration.name)
    assert variant["InstanceType"] == "ml.m5.large"


def test_serverless_has_no_instances_and_one_worker_profile() -> None:
    (variant,) = parameters(config("serverless"), "CreateEndpointConfig")["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 10}
    assert "InstanceType" not in variant
    environment = parameters(config("serverless"), "CreateModel")["PrimaryContainer"]["Environment"]
    assert environment == {"SERVING_PROFILE": "serverless"}


def test_the_users_environment_wins_over_the_modes() -> None:
    here = config("async", environment={"SERVING_PROFILE": "real-time"})
    assert parameters(here, "CreateModel")["PrimaryContainer"]["Environment"] == {"SERVING_PROFILE": "real-time"}


def test_async_writes_answers_and_failures_to_s3() -> None:
    told = parameters(config("async"), "CreateEndpointConfig")["AsyncInferenceConfig"]
    assert told["OutputConfig"] == {"S3OutputPath": "s3://bucket/answers/", "S3FailurePath": "s3://bucket/failures/"}
    assert told["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 4}


def test_batch_is_a_model_and_a_job() -> None:
    model, job = calls(config("batch"))
    assert (job.operation, job.parameters["ModelName"]) == ("CreateTransformJob", model.name)


def test_req_03_multi_model_is_a_prefix_with_its_mode() -> None:
    container = parameters(config("multi-model"), "CreateModel")["PrimaryContainer"]
    assert (container["Mode"], container["ModelDataUrl"]) == ("MultiModel", "s3://bucket/models/")
    assert container["MultiModelConfig"] == {"ModelCacheSetting": "Enabled"}


def test_req_04_direct_containers_are_told_by_hostname() -> None:
    told = parameters(config("multi-container"), "CreateModel")
    assert told["InferenceExecutionConfig"] == {"Mode": "Direct"}
    assert [each["ContainerHostname"] for each in told["Containers"]] == ["one", "two"]


def test_pipeline_is_serial_in_the_order_of_the_file() -> None:
    told = parameters(config("pipeline"), "CreateModel")
    assert told["InferenceExecutionConfig"] == {"Mode": "Serial"}
    assert [each.get("Environment") for each in told["Containers"]] == [None, {"STAGE": "2"}]


def test_files_are_a_model_data_source() -> None:
    container = parameters(feature("files instead of an archive"), "CreateModel")["PrimaryContainer"]
    source = container["ModelDataSource"]["S3DataSource"]
    assert source == {"S3Uri": "s3://bucket/churn/files/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    assert "ModelDataUrl" not in container


def test_req_06_timeouts_follow_the_artifacts_size() -> None:
    facts = Facts(artifact_bytes={"s3://bucket/churn/model.tar.gz": 10 << 30})
    model, configuration, _ = calls(config(), facts)
    (variant,) = configuration.parameters["ProductionVariants"]
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 540
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 720
    environment = model.parameters["PrimaryContainer"]["Environment"]
    assert environment["SAGEMAKER_STARTUP_TIMEOUT"] == "720", "the server waits as long as the platform"


def test_timeouts_of_a_small_artifact_are_aws_s_own() -> None:
    _, configuration, _ = calls(config(), Facts(artifact_bytes={"s3://bucket/churn/model.tar.gz": 1 << 20}))
    assert "ContainerStartupHealthCheckTimeoutInSeconds" not in configuration.parameters["ProductionVariants"][0]


def test_timeouts_of_a_huge_artifact_end_at_an_hour() -> None:
    (variant,) = parameters(config(artifact_mb=400_000), "CreateEndpointConfig")["ProductionVariants"]
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 3600


def test_timeouts_of_the_file_win() -> None:
    here = config(artifact_mb=20_000, instances={"startup_timeout_s": 900, "download_timeout_s": 1200})
    (variant,) = parameters(here, "CreateEndpointConfig")["ProductionVariants"]
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 900
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 1200


def test_each_variant_has_its_own_model() -> None:
    found = calls(feature("variants and weights"))
    models = [call.name for call in found if call.operation == "CreateModel"]
    (configuration,) = (call for call in found if call.operation == "CreateEndpointConfig")
    variants = configuration.parameters["ProductionVariants"]
    assert [each["ModelName"] for each in variants] == models
    assert [each["InitialVariantWeight"] for each in variants] == [9.0, 1.0]
    assert [each["InitialInstanceCount"] for each in variants] == [1, 2]


def test_shadow_is_beside_the_variant_that_answers() -> None:
    told = parameters(feature("a shadow"), "CreateEndpointConfig")
    assert [each["VariantName"] for each in told["ProductionVariants"]] == ["main"]
    assert [each["VariantName"] for each in told["ShadowProductionVariants"]] == ["shadow"]


def test_canary_has_a_first_step_alarms_and_rolls_back() -> None:
    told = parameters(feature("canary with alarms"), "CreateEndpoint")["DeploymentConfig"]
    routing = told["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    size = {"Type": "CAPACITY_PERCENT", "Value": 10}
    assert routing == {"Type": "CANARY", "WaitIntervalInSeconds": 600, "CanarySize": size}
    assert told["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "churn-5xx"}]}


def test_rolling_has_batches_both_ways() -> None:
    told = parameters(feature("rolling"), "CreateEndpoint")["DeploymentConfig"]["RollingUpdatePolicy"]
    assert told["MaximumBatchSize"] == {"Type": "INSTANCE_COUNT", "Value": 1}
    assert told["RollbackMaximumBatchSize"] == {"Type": "INSTANCE_COUNT", "Value": 2}


def test_all_at_once_without_alarms_says_nothing() -> None:
    assert "DeploymentConfig" not in parameters(config(), "CreateEndpoint")


def test_async_wakes_from_zero_by_an_alarm_on_its_backlog() -> None:
    found = {call.operation: call for call in calls(feature("async to zero"))}
    alarm = found["PutMetricAlarm"].parameters
    assert alarm["MetricName"] == "HasBacklogWithoutCapacity"
    assert alarm["AlarmActions"] == ["${scaling-policy/churn-main-wake.PolicyARN}"]
    assert found["PutScalingPolicy"].parameters["StepScalingPolicyConfiguration"]["StepAdjustments"]


def test_components_bring_models_to_a_configuration_without_one() -> None:
    found = calls(feature("components to zero"))
    (configuration,) = (call for call in found if call.operation == "CreateEndpointConfig")
    (variant,) = configuration.parameters["ProductionVariants"]
    assert "ModelName" not in variant
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    assert configuration.parameters["ExecutionRoleArn"]
    parts = [call for call in found if call.operation == "CreateInferenceComponent"]
    assert [each.name for each in parts] == ["churn-a", "churn-b"]


def test_training_gives_hyperparameters_as_strings() -> None:
    told = parameters(feature("training on spot"), "CreateTrainingJob")
    assert told["HyperParameters"] == {"max_iter": "200", "warm": "true"}
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400, "MaxWaitTimeInSeconds": 90000}


def test_register_names_a_version_by_its_content() -> None:
    """A group's versions have numbers only; what is registered already is found by its description."""
    group, package = calls(config("register"))
    assert package.parameters["ModelPackageDescription"] == f"{package.name.rpartition('-')[2]} the first"
    assert package.parameters["ModelPackageGroupName"] == group.name == "churn"
    assert package.parameters["ModelApprovalStatus"] == "Approved"
