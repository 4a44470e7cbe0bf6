"""Jobs: batch transform, which does run where the model has a route; training and recommendations, which only end."""

from __future__ import annotations

import math
from typing import Any

from tests.deploy.double.call import Call, Refusal
from tests.deploy.double.hosting import pings, routes_of
from tests.deploy.double.objects import join, read, split, under, write
from tests.deploy.double.shelf import MODEL, RECOMMENDER, TRAINING, TRANSFORM, Handler, Kind, Record, listed, now
from tests.deploy.double.state import Double
from tests.deploy.double.wire import through

STATUS = {TRANSFORM: "TransformJobStatus", TRAINING: "TrainingJobStatus", RECOMMENDER: "Status"}
ENDED = {"InProgress": "Completed", "IN_PROGRESS": "COMPLETED", "Stopping": "Stopped", "STOPPING": "STOPPED"}


def begin(kind: Kind) -> Handler:
    def handler(double: Double, call: Call) -> Record:
        model = double.shelf.get(call, MODEL, call.parameters["ModelName"]) if kind is TRANSFORM else None
        status = "IN_PROGRESS" if kind is RECOMMENDER else "InProgress"
        more = {STATUS[kind]: status, "SecondaryStatus": "Starting", "due": double.clock() + double.delays.job_s}
        job = double.shelf.put(call, kind, call.parameters[kind.key], **more, model=model)
        if kind is TRAINING:
            job["ModelArtifacts"] = {"S3ModelArtifacts": artifact(job)}
        return job

    return handler


def artifact(job: Record) -> str:
    return join(job["OutputDataConfig"]["S3OutputPath"], job["TrainingJobName"], "output", "model.tar.gz")


def look(kind: Kind) -> Handler:
    def handler(double: Double, call: Call) -> Record:
        job = double.shelf.get(call, kind, call.parameters[kind.key])
        if job[STATUS[kind]] in ENDED and double.clock() >= job["due"] and all(map(pings, containers(double, job))):
            end(double, kind, job)
        return job

    return handler


def containers(double: Double, job: Record) -> list[str]:
    """Of a batch transform, where its model's containers run."""
    if not (model := job["model"]):
        return []
    places = double.host(model) if double.host else []
    return routes_of(double, job["ModelName"]) or [place.url for place in places]


def end(double: Double, kind: Kind, job: Record) -> None:
    status = ENDED[job[STATUS[kind]]]
    job |= {STATUS[kind]: status, "SecondaryStatus": status, "LastModifiedTime": now()}
    if kind is TRANSFORM and status == "Completed" and (reason := transform(double, job)):
        job |= {STATUS[kind]: "Failed", "FailureReason": reason}
    if kind is RECOMMENDER and status == "COMPLETED":
        job["InferenceRecommendations"] = recommendations(job)
    if kind in (TRAINING, TRANSFORM):
        job[f"{kind.noun.removesuffix('Job')}EndTime"] = now()


def recommendations(job: Record) -> list[Record]:
    """One of each instance type that was asked for, the cheapest first; what was not measured is NaN, as AWS has it."""
    asked = job["InputConfig"]["ContainerConfig"].get("SupportedInstanceTypes", ["ml.c5.large", "ml.m5.large"])
    return [
        {
            "RecommendationId": f"{job['JobName']}/{number}",
            "Metrics": {
                "CostPerHour": 0.102 * number,
                "CostPerInference": 2.9e-6 * number,
                "MaxInvocations": 590,
                "ModelLatency": 82 // number,
                "CpuUtilization": 61.5,
                "MemoryUtilization": math.nan,
            },
            "EndpointConfiguration": {
                "EndpointName": f"sm-epc-{number}",
                "VariantName": f"sm-epc-{number}",
                "InstanceType": kind,
                "InitialInstanceCount": 1,
            },
            "ModelConfiguration": {},
        }
        for number, kind in enumerate(asked, 1)
    ]


def transform(double: Double, job: Record) -> str:
    """Each object to the container, its answer beside the others as KEY.out; why it failed, if it did."""
    given, routes = job["TransformInput"], containers(double, job)
    bucket, prefix = split(given["DataSource"]["S3DataSource"]["S3Uri"])
    headers = {"Content-Type": given.get("ContentType", "application/octet-stream")}
    if accept := job["TransformOutput"].get("Accept"):
        headers["Accept"] = accept
    for key in under(bucket, prefix) if routes else []:
        reply = through(routes, read(f"s3://{bucket}/{key}"), headers)
        if reply.status >= 400:
            return f"AlgorithmError: See job logs for more information: {reply.status} for {key}"
        write(
            join(job["TransformOutput"]["S3OutputPath"], key.removeprefix(prefix).lstrip("/") or key) + ".out",
            reply.body,
        )
    return ""


def stop(kind: Kind) -> Handler:
    def handler(double: Double, call: Call) -> Any:
        job = double.shelf.get(call, kind, call.parameters[kind.key])
        if job[STATUS[kind]] not in ("InProgress", "IN_PROGRESS"):
            raise Refusal(f"The request was rejected because the job is {job[STATUS[kind]]}.")
        job[STATUS[kind]] = "STOPPING" if kind is RECOMMENDER else "Stopping"
        return {}

    return handler


JOBS: dict[str, Handler] = {
    operation: handler
    for kind in (TRANSFORM, TRAINING, RECOMMENDER)
    for operation, handler in {
        f"Create{kind.noun}": begin(kind),
        f"Describe{kind.noun}": look(kind),
        f"List{kind.noun}s": listed(kind),
        f"Stop{kind.noun}": stop(kind),
    }.items()
}
