"""Rules of CreateEndpointConfig and components. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html, async-inference.html,
shadow-tests-exclusions.html, endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.call import Call
from deploy.problem import Problem
from deploy.rules.parts import Part, containers, dig, models_of, of, serverless, variants

LOCAL_DISKS = re.compile(r"[a-z]+\d+[a-z]*d[a-z]*")
"""Families such as m5d, p4d and g4dn; g5 has some too, without the letter.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_ec2.InstanceClass.html and, for g5,
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
"""


def a_variant_is_instances_or_serverless(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpointConfig"):
        for each in variants(call):
            if ("InstanceType" in each) == ("ServerlessConfig" in each):
                yield Problem(call.key, f"variant {each['VariantName']} takes either an instance type or serverless")


def serverless_memory_is_whole_gigabytes(calls: list[Call]) -> Iterator[Problem]:
    for call in serverless(calls):
        for each in variants(call):
            memory = dig(each, "ServerlessConfig", "MemorySizeInMB")
            if memory is not None and memory % 1024:
                yield Problem(call.key, f"serverless.memory_mb is {memory}; it is 1024, 2048, 3072, 4096, 5120 or 6144")


def provisioned_concurrency_is_within_the_most(calls: list[Call]) -> Iterator[Problem]:
    for call in serverless(calls):
        for each in variants(call):
            here = each.get("ServerlessConfig", {})
            if here.get("ProvisionedConcurrency", 0) > here.get("MaxConcurrency", 0):
                yield Problem(call.key, "serverless.provisioned_concurrency is above max_concurrency")


def serverless_is_alone(calls: list[Call]) -> Iterator[Problem]:
    for call in serverless(calls):
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
    for call in serverless(calls):
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


def a_shadow_follows_what_is_plain(calls: list[Call]) -> Iterator[Problem]:
    """What of shadow-tests-exclusions.html can be told; serverless has a rule of its own."""
    for call in of(calls, "CreateEndpointConfig"):
        if "ShadowProductionVariants" not in call.parameters:
            continue
        made = [model for each in variants(call) for model in models_of(calls, each)]
        excluded = {
            "mode async": "AsyncInferenceConfig" in call.parameters,
            "mode multi-model": any(each.get("Mode") == "MultiModel" for model in made for each in containers(model)),
            "several containers": any("Containers" in model.parameters for model in made),
            "ml.inf1 instances": any(each.get("InstanceType", "").startswith("ml.inf1.") for each in variants(call)),
        }
        for said in (said for said, is_so in excluded.items() if is_so):
            yield Problem(call.key, f"[shadow] does not go with {said}")


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


def a_key_is_for_disks_that_are_attached(calls: list[Call]) -> Iterator[Problem]:
    """Local disks are encrypted by the instance: "the call to CreateEndpointConfig fails", says its KmsKeyId."""
    for call in of(calls, "CreateEndpointConfig"):
        types = sorted({kind for each in variants(call) if has_local_disks(kind := each.get("InstanceType", ""))})
        if types and "KmsKeyId" in call.parameters:
            yield Problem(call.key, f"{', '.join(types)} has disks of its own, encrypted; leave instances.kms_key out")


def a_volume_is_for_types_without_disks(calls: list[Call]) -> Iterator[Problem]:
    """Told for training only, in API_ResourceConfig: "SageMaker doesn't provision EBS" beside local disks."""
    for call in of(calls, "CreateEndpointConfig"):
        types = sorted({each["InstanceType"] for each in variants(call) if _has_both(each)})
        if types:
            text = f"{', '.join(types)} has disks of its own; AWS may refuse instances.volume_gb, leave it out"
            yield Problem(call.key, text, warning=True)


def _has_both(variant: Part) -> bool:
    return "VolumeSizeInGB" in variant and has_local_disks(variant.get("InstanceType", ""))


def has_local_disks(instance_type: str) -> bool:
    family = instance_type.removeprefix("ml.").partition(".")[0]
    return family == "g5" or bool(LOCAL_DISKS.fullmatch(family))


ENDPOINT_RULES = (
    a_variant_is_instances_or_serverless,
    serverless_memory_is_whole_gigabytes,
    provisioned_concurrency_is_within_the_most,
    serverless_is_alone,
    serverless_models_are_plain,
    variants_have_names_of_their_own,
    some_variant_gets_requests,
    a_shadow_has_one_to_follow,
    a_shadow_follows_what_is_plain,
    capture_is_not_for_async,
    components_bring_the_models,
    a_component_asks_for_compute,
    managed_bounds_are_in_order,
    a_key_is_for_disks_that_are_attached,
    a_volume_is_for_types_without_disks,
)
