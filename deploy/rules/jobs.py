"""Rules of batch transform, training and the registry. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html, API_CreateTrainingJob.html,
https://docs.aws.amazon.com/sagemaker/latest/dg/large-model-inference-uncompressed.html
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.call import Call
from deploy.problem import Problem
from deploy.rules.parts import containers, dig, models_of, of

MOST_MB = 100
"""Of a request, and of all requests at once, to one instance."""


def requests_fit_in_an_instance(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTransformJob"):
        payload, at_once = call.parameters.get("MaxPayloadInMB", 6), call.parameters.get("MaxConcurrentTransforms", 1)
        if payload > MOST_MB or payload * at_once > MOST_MB:
            yield Problem(
                call.key, f"batch.max_payload_mb x max_concurrent is {payload} x {at_once}; at most {MOST_MB}"
            )


def batch_takes_archives(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTransformJob"):
        for model in models_of(calls, call.parameters):
            if any("ModelDataSource" in each for each in containers(model)):
                yield Problem(model.key, "batch takes a .tar.gz, not a prefix with files")
            if any(each.get("Mode") == "MultiModel" for each in containers(model)):
                yield Problem(model.key, "batch does not go with many models in one container")


def a_join_needs_records(calls: list[Call]) -> Iterator[Problem]:
    """Input and answer are joined record by record."""
    for call in of(calls, "CreateTransformJob"):
        joined = dig(call.parameters, "DataProcessing", "JoinSource") == "Input"
        if joined and not dig(call.parameters, "TransformInput", "ContentType"):
            yield Problem(call.key, "batch.join needs batch.content_type, and batch.split for files of many records")


def assembled_answers_were_split(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTransformJob"):
        split, assemble = (
            dig(call.parameters, "TransformInput", "SplitType"),
            dig(call.parameters, "TransformOutput", "AssembleWith"),
        )
        if split == "Line" and assemble != "Line":
            text = "batch.split is Line and batch.assemble is not: answers are written without line ends between them"
            yield Problem(call.key, text, warning=True)


def spot_waits_longer_than_it_runs(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTrainingJob"):
        here = call.parameters.get("StoppingCondition", {})
        runs, waits = here.get("MaxRuntimeInSeconds", 0), here.get("MaxWaitTimeInSeconds")
        if call.parameters.get("EnableManagedSpotTraining") and (waits is None or waits < runs):
            yield Problem(call.key, f"training.max_wait_s is {waits}; with spot it is at least max_runtime_s, {runs}")
        if not call.parameters.get("EnableManagedSpotTraining") and waits is not None:
            yield Problem(call.key, "training.max_wait_s is for spot")


def spot_keeps_checkpoints(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTrainingJob"):
        if call.parameters.get("EnableManagedSpotTraining") and "CheckpointConfig" not in call.parameters:
            yield Problem(call.key, "spot without training.checkpoints begins anew when capacity goes", warning=True)


def channels_are_in_s3(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateTrainingJob"):
        if not call.parameters.get("InputDataConfig"):
            yield Problem(call.key, "training has no channels; train(job) finds no data", warning=True)


JOB_RULES = (
    requests_fit_in_an_instance,
    batch_takes_archives,
    a_join_needs_records,
    assembled_answers_were_split,
    spot_waits_longer_than_it_runs,
    spot_keeps_checkpoints,
    channels_are_in_s3,
)
