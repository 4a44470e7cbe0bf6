"""Rules of CreateEndpointConfig, CreateEndpoint and components. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html, async-inference.html, shadow-tests.html,
deployment-guardrails-blue-green.html, deployment-guardrails-rolling.html, endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.call import Call, Parameters
from deploy.problem import Problem
from deploy.rules.parts import containers, dig, models_of, of, variants

STEP_PERCENT = {"CanarySize": (1, 50), "LinearStepSize": (10, 50), "MaximumBatchSize": (5, 50)}


def a_variant_is_instances_or_serverless(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        for each in variants(call):
            if ("InstanceType" in each) == ("ServerlessConfig" in each):
                yield Problem(call.key, f"variant {each['VariantName']} takes either an instance type or serverless")


def serverless_memory_is_whole_gigabytes(calls: list[Call]) -> Iterator[Problem]:
    for call in _serverless(calls):
        for each in variants(call):
            memory = dig(each, "ServerlessConfig", "MemorySizeInMB")
            if memory is not None and memory % 1024:
                yield Problem(call.key, f"serverless.memory_mb is {memory}; it is 1024, 2048, 3072, 4096, 5120 or 6144")


def provisioned_concurrency_is_within_the_most(calls: list[Call]) -> Iterator[Problem]:
    for call in _serverless(calls):
        for each in variants(call):
            here = each.get("ServerlessConfig", {})
            if here.get("ProvisionedConcurrency", 0) > here.get("MaxConcurrency", 0):
                yield Problem(call.key, "serverless.provisioned_concurrency is above max_concurrency")


def serverless_is_alone(calls: list[Call]) -> Iterator[Problem]:
    for call in _serverless(calls):
        for field, said in {
            "DataCaptureConfig": "[capture]",
            "AsyncInferenceConfig": "mode async",
            "ShadowProductionVariants": "[shadow]",
            "KmsKeyId": "instances.kms_key",
        }.items():
            if field in call.parameters:
                yield Problem(call.key, f"serverless does not go with {said}")
        if len(call.parameters.get("ProductionVariants", ())) > 1:
            yield Problem(call.key, "serverless takes one variant")


def serverless_models_are_plain(calls: list[Call]) -> Iterator[Problem]:
    for call in _serverless(calls):
        for model in (model for each in variants(call) for model in models_of(calls, each)):
            if "VpcConfig" in model.parameters:
                yield Problem(model.key, "serverless does not go with a VPC; leave network.subnets out")
            if model.parameters.get("EnableNetworkIsolation"):
                yield Problem(model.key, "serverless does not go with network.isolation")
            if "Containers" in model.parameters:
                yield Problem(model.key, "serverless takes one container")
            for each in containers(model):
                if each.get("Mode") == "MultiModel":
                    yield Problem(model.key, "serverless does not go with many models in one container")
                if "ModelDataSource" in each:
                    yield Problem(model.key, "serverless takes a .tar.gz, not a prefix with files")


def variants_have_names_of_their_own(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        names = [each["VariantName"] for each in variants(call)]
        if len(set(names)) < len(names):
            yield Problem(call.key, f"variants are named {', '.join(names)}; each needs a name of its own")


def some_variant_gets_requests(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        weights = [each.get("InitialVariantWeight", 1.0) for each in call.parameters.get("ProductionVariants", ())]
        if weights and not any(weights):
            yield Problem(call.key, "no variant gets requests; one needs a weight above 0")


def a_shadow_has_one_to_follow(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        told = call.parameters
        if "ShadowProductionVariants" in told and len(told.get("ProductionVariants", ())) != 1:
            yield Problem(call.key, "a shadow goes with exactly one variant")


def capture_is_not_for_async(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        if {"AsyncInferenceConfig", "DataCaptureConfig"} <= call.parameters.keys():
            text = "data capture is told for real-time endpoints and batch; async keeps its answers in S3 anyhow"
            yield Problem(call.key, text, warning=True)


def components_bring_the_models(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        without = [each for each in variants(call) if "ModelName" not in each]
        if not without:
            continue
        if "ExecutionRoleArn" not in call.parameters:
            yield Problem(call.key, "variants without a model are for inference components and need ExecutionRoleArn")
        elsewhere = "AsyncInferenceConfig" in call.parameters or any("ServerlessConfig" in each for each in without)
        if len(without) < len(variants(call)) or elsewhere:
            yield Problem(
                call.key, "inference components take all variants without a model, and neither async nor serverless"
            )


def a_component_asks_for_compute(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateInferenceComponent"):
        asked = dig(call.parameters, "Specification", "ComputeResourceRequirements") or {}
        if not {"NumberOfCpuCoresRequired", "NumberOfAcceleratorDevicesRequired"} & asked.keys():
            yield Problem(call.key, "a component needs cpus or accelerators")
        if asked.get("MaxMemoryRequiredInMb", asked.get("MinMemoryRequiredInMb", 0)) < asked.get(
            "MinMemoryRequiredInMb", 0
        ):
            yield Problem(call.key, "max_memory_mb is below memory_mb")


def managed_bounds_are_in_order(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        for each in variants(call):
            here = each.get("ManagedInstanceScaling", {})
            if here.get("MinInstanceCount", 0) > here.get("MaxInstanceCount", here.get("MinInstanceCount", 0)):
                yield Problem(call.key, "instances.min_count is above max_count")


def steps_are_within_percents(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpoint"):
        for name, size in _steps(call):
            least, most = STEP_PERCENT[name]
            if size.get("Type") == "CAPACITY_PERCENT" and not least <= size.get("Value", 0) <= most:
                yield Problem(call.key, f"update.size is {size.get('Value')} percent; {name} is {least} to {most}")


def an_update_ends_in_its_time(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpoint"):
        policy = dig(call.parameters, "DeploymentConfig", "BlueGreenUpdatePolicy") or {}
        wait = dig(policy, "TrafficRoutingConfiguration", "WaitIntervalInSeconds") or 0
        needed, most = wait + policy.get("TerminationWaitInSeconds", 0), policy.get("MaximumExecutionTimeoutInSeconds")
        if most is not None and needed > most:
            yield Problem(
                call.key, f"update.timeout_s is {most}, less than wait_s and terminate_wait_s together: {needed}"
            )


def serverless_has_no_guardrails(calls: list[Call]) -> Iterator[Problem]:
    if not any(True for _ in _serverless(calls)):
        return
    for call in of(calls, "CreateEndpoint"):
        if "DeploymentConfig" in call.parameters:
            text = "canary, linear and rolling move instances, which serverless has none of; leave [update] out"
            yield Problem(call.key, text, warning=True)


def _serverless(calls: list[Call]) -> Iterator[Call]:
    for call in of(calls, "CreateEndpointConfig"):
        if any("ServerlessConfig" in each for each in variants(call)):
            yield call


def _steps(call: Call) -> Iterator[tuple[str, Parameters]]:
    told = call.parameters.get("DeploymentConfig", {})
    routing = dig(told, "BlueGreenUpdatePolicy", "TrafficRoutingConfiguration") or {}
    for part in (routing, told.get("RollingUpdatePolicy", {})):
        yield from ((name, part[name]) for name in STEP_PERCENT if name in part)


ENDPOINT_RULES = (
    a_variant_is_instances_or_serverless,
    serverless_memory_is_whole_gigabytes,
    provisioned_concurrency_is_within_the_most,
    serverless_is_alone,
    serverless_models_are_plain,
    variants_have_names_of_their_own,
    some_variant_gets_requests,
    a_shadow_has_one_to_follow,
    capture_is_not_for_async,
    components_bring_the_models,
    a_component_asks_for_compute,
    managed_bounds_are_in_order,
    steps_are_within_percents,
    an_update_ends_in_its_time,
    serverless_has_no_guardrails,
)
