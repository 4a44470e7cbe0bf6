"""Calls that break a rule: its name, the calls, and what it says. Read by test_rules."""

from __future__ import annotations

from typing import Any

from deploy.call import Call, given
from tests.deploy.configs import CAPTURE, FEATURES, IMAGE, MODES, VPC, calls, config

Calls = list[Call]


def of(mode: str = "realtime", **over: Any) -> Calls:
    return calls(config(mode, **over))


def model(**parameters: Any) -> Calls:
    return [Call("sagemaker", "CreateModel", parameters, "model/m")]


def one(**container: Any) -> Calls:
    return model(PrimaryContainer={"Image": IMAGE, **container})


def several(mode: str, *containers: dict[str, Any]) -> Calls:
    return model(Containers=list(containers), InferenceExecutionConfig={"Mode": mode})


def variants(*each: dict[str, Any], **parameters: Any) -> Calls:
    named = [given(**{"VariantName": "v", "ModelName": "m", **variant}) for variant in each]
    parameters = {"ProductionVariants": named, **parameters}
    return [Call("sagemaker", "CreateEndpointConfig", parameters, "endpoint-config/c")]


M5 = {"InstanceType": "ml.m5.large"}
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
FILES = "s3://bucket/files/"
LINE = {**MODES["batch"]["batch"]}
SPOT = FEATURES["training on spot"]["training"]

BROKEN: list[tuple[str, Calls, str]] = [
    ("containers_are_given_in_one_way", model(), "takes either PrimaryContainer or Containers"),
    ("containers_are_given_in_one_way", model(PrimaryContainer={}, Containers=[{}]), "takes either PrimaryContainer"),
    (
        "an_artifact_is_given_in_one_way",
        one(ModelDataUrl="s3://b/a.tar.gz", ModelDataSource={}),
        "takes either ModelDataUrl",
    ),
    ("an_archive_ends_in_tar_gz", of(artifact="s3://bucket/model.zip"), "s3://bucket/model.zip has to end in .tar.gz"),
    (
        "many_models_are_a_prefix",
        of("multi-model", artifact="s3://bucket/m.tar.gz"),
        "needs a prefix with archives below it",
    ),
    (
        "files_are_a_prefix",
        one(ModelDataSource={"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}),
        "s3://b/x is a prefix and has to end in /",
    ),
    (
        "direct_containers_have_names",
        of("multi-container", containers=[{"hostname": "a"}, {}]),
        "needs a hostname for each",
    ),
    ("direct_containers_have_names", several("Direct", *[{"ContainerHostname": "a"}] * 2), "all different"),
    ("serial_containers_are_named_all_or_none", of("pipeline", containers=[{"hostname": "a"}, {}]), "or for none"),
    ("several_containers_are_at_least_two", of("pipeline", containers=[{}]), "1 containers; several are 2 to 15"),
    (
        "one_of_several_may_hold_many_models",
        several("Serial", *[{"Mode": "MultiModel", "ModelDataUrl": "s3://b/"}] * 2),
        "at most one",
    ),
    (
        "the_environment_is_small",
        of(environment={f"A{i}": "x" * 1000 for i in range(40)}),
        "environment of 40110 bytes",
    ),
    (
        "an_image_is_of_the_region",
        of("pipeline", containers=[{}, {"image": IMAGE.replace("eu-west-1", "us-east-1")}]),
        "images are in eu-west-1 and us-east-1",
    ),
    ("an_image_is_named_by_digest", of(image="ghcr.io/name:latest"), "ghcr.io/name:latest is named by a tag"),
    (
        "a_variant_is_instances_or_serverless",
        variants({**M5, **SERVERLESS}),
        "takes either an instance type or serverless",
    ),
    ("a_variant_is_instances_or_serverless", variants({}), "takes either an instance type or serverless"),
    ("serverless_memory_is_whole_gigabytes", of("serverless", serverless={"memory_mb": 1500}), "memory_mb is 1500"),
    (
        "provisioned_concurrency_is_within_the_most",
        of("serverless", serverless={"provisioned_concurrency": 9, "max_concurrency": 5}),
        "provisioned_concurrency is above max_concurrency",
    ),
    ("serverless_is_alone", of("serverless", capture=CAPTURE), "does not go with [capture]"),
    ("serverless_is_alone", variants(SERVERLESS, AsyncInferenceConfig={}), "does not go with mode async"),
    ("serverless_is_alone", of("serverless", shadow={"name": "s"}), "does not go with [shadow]"),
    ("serverless_is_alone", variants(SERVERLESS, KmsKeyId="k"), "does not go with instances.kms_key"),
    ("serverless_is_alone", of("serverless", variants=[{"name": "a"}, {"name": "b"}]), "serverless takes one variant"),
    ("serverless_models_are_plain", of("serverless", network=VPC), "does not go with a VPC"),
    (
        "serverless_models_are_plain",
        of("serverless", network={"isolation": True}),
        "does not go with network.isolation",
    ),
    ("serverless_models_are_plain", of("serverless", artifact=FILES), "takes a .tar.gz, not a prefix"),
    (
        "serverless_models_are_plain",
        [*several("Serial", {}, {}), *variants(SERVERLESS)],
        "serverless takes one container",
    ),
    (
        "serverless_models_are_plain",
        [*one(Mode="MultiModel", ModelDataUrl="s3://b/"), *variants(SERVERLESS)],
        "does not go with many models",
    ),
    ("variants_have_names_of_their_own", variants(M5, M5), "variants are named v, v"),
    ("some_variant_gets_requests", of(variants=[{"name": "a", "weight": 0}]), "no variant gets requests"),
    (
        "a_shadow_has_one_to_follow",
        of(variants=[{"name": "a"}, {"name": "b"}], shadow={"name": "s"}),
        "a shadow goes with exactly one variant",
    ),
    ("a_shadow_follows_what_is_plain", of("async", shadow={"name": "s"}), "does not go with mode async"),
    ("a_shadow_follows_what_is_plain", of("multi-model", shadow={"name": "s"}), "does not go with mode multi-model"),
    ("a_shadow_follows_what_is_plain", of("pipeline", shadow={"name": "s"}), "does not go with several containers"),
    ("a_shadow_follows_what_is_plain", of(shadow={"name": "s", "type": "ml.inf1.xlarge"}), "with ml.inf1 instances"),
    (
        "a_key_is_for_disks_that_are_attached",
        of(instances={"kms_key": "k", "type": "ml.g5.xlarge"}),
        "ml.g5.xlarge has",
    ),
    (
        "a_key_is_for_disks_that_are_attached",
        of(instances={"kms_key": "k"}, variants=[{"name": "a"}, {"name": "b", "type": "ml.m6gd.large"}]),
        "ml.m6gd.large has disks of its own",
    ),
    ("a_volume_is_for_types_without_disks", of(instances={"volume_gb": 60, "type": "ml.g4dn.xlarge"}), "volume_gb"),
    ("capture_is_not_for_async", of("async", capture=CAPTURE), "data capture is told for real-time endpoints"),
    (
        "components_bring_the_models",
        variants({**M5, "ModelName": None}, ExecutionRoleArn="r", AsyncInferenceConfig={}),
        "async",
    ),
    ("components_bring_the_models", variants({**M5, "ModelName": None}), "need ExecutionRoleArn"),
    ("a_component_asks_for_compute", of(components=[{"name": "a"}]), "a component needs cpus or accelerators"),
    (
        "a_component_asks_for_compute",
        of(components=[{"name": "a", "cpus": 1, "memory_mb": 2048, "max_memory_mb": 1024}]),
        "max_memory_mb is below memory_mb",
    ),
    (
        "managed_bounds_are_in_order",
        of(components=[{"name": "a", "cpus": 1}], instances={"min_count": 3, "max_count": 2}),
        "min_count is above max_count",
    ),
    ("steps_are_within_percents", of(update={"strategy": "canary", "size": 60}), "60 percent; CanarySize is 1 to 50"),
    (
        "steps_are_within_percents",
        of(update={"strategy": "linear", "size": 5}),
        "5 percent; LinearStepSize is 10 to 50",
    ),
    (
        "steps_are_within_percents",
        of(update={"strategy": "rolling", "size": 60}),
        "60 percent; MaximumBatchSize is 5 to 50",
    ),
    (
        "an_update_ends_in_its_time",
        of(update={"strategy": "canary", "wait_s": 600, "terminate_wait_s": 300, "timeout_s": 700}),
        "timeout_s is 700, less than wait_s and terminate_wait_s together: 900",
    ),
    (
        "rolling_is_for_one_variant",
        of(update={"strategy": "rolling"}, variants=[{"name": "a"}, {"name": "b"}]),
        "rolling takes one variant; take canary or linear",
    ),
    (
        "inf1_changes_at_once",
        of(update={"alarms": ["a"]}, instances={"type": "ml.inf1.xlarge"}),
        "all at once, whatever [update] says",
    ),
    ("serverless_has_no_guardrails", of("serverless", update={"strategy": "canary"}), "which serverless has none of"),
    ("bounds_are_in_order", of(scaling={"min": 3, "max": 2, "target": 1}), "scaling.min is 3, above scaling.max, 2"),
    (
        "bounds_are_in_order",
        of(scaling={"schedules": [{"name": "n", "at": "rate(1 day)", "min": 2, "max": 1}]}),
        "a schedule's min is above its max",
    ),
    ("only_async_and_components_scale_to_zero", of(scaling={"min": 0, "max": 2, "target": 1}), "scaling.min is 0"),
    (
        "a_metric_is_one_of_its_target",
        of(scaling={"metric": "utilization", "target": 1}),
        "utilization is not measured here; there is invocations, concurrency",
    ),
    ("async_scales_on_its_backlog", of("async", scaling={"metric": "invocations", "target": 1}), "use metric backlog"),
    ("async_scales_on_its_backlog", of(scaling={"metric": "backlog", "target": 1}), "a backlog is mode async's"),
    (
        "serverless_scales_what_it_provisions",
        of("serverless", scaling={"target": 0.5}),
        "[scaling] is for provisioned_concurrency",
    ),
    (
        "a_start_is_within_the_bounds",
        of(instances={"count": 9}, scaling={"max": 4, "target": 1}),
        "it begins with 9, outside of scaling.min 1 and scaling.max 4",
    ),
    (
        "a_start_is_within_the_bounds",
        of(components=[{"name": "a", "cpus": 1, "copies": 3, "scaling": {"max": 2, "target": 1}}]),
        "it begins with 3",
    ),
    ("something_scales", of(scaling={"min": 1, "max": 4}), "nothing scales"),
    (
        "requests_fit_in_an_instance",
        of("batch", batch={**LINE, "max_payload_mb": 30, "max_concurrent": 4}),
        "30 x 4; at most 100",
    ),
    ("batch_takes_archives", of("batch", artifact=FILES), "batch takes a .tar.gz"),
    (
        "batch_takes_archives",
        [
            *one(Mode="MultiModel", ModelDataUrl="s3://b/"),
            Call("sagemaker", "CreateTransformJob", {"ModelName": "m"}, "j/j"),
        ],
        "batch does not go with many models",
    ),
    ("a_join_needs_records", of("batch", batch={**LINE, "join": "Input"}), "batch.join needs batch.content_type"),
    (
        "assembled_answers_were_split",
        of("batch", batch={**LINE, "assemble": "None"}),
        "answers are written without line ends",
    ),
    (
        "spot_waits_longer_than_it_runs",
        of("training", training={**SPOT, "max_wait_s": 60}),
        "max_wait_s is 60; with spot",
    ),
    (
        "spot_waits_longer_than_it_runs",
        [
            Call(
                "sagemaker",
                "CreateTrainingJob",
                {"InputDataConfig": [1], "StoppingCondition": {"MaxWaitTimeInSeconds": 1}},
                "j/j",
            )
        ],
        "max_wait_s is for spot",
    ),
    (
        "spot_keeps_checkpoints",
        of("training", training={name: value for name, value in SPOT.items() if name != "checkpoints"}),
        "spot without training.checkpoints",
    ),
    ("channels_are_in_s3", of("training", training={"output": "s3://bucket/o"}), "training has no channels"),
]
