"""deploy.toml of every mode and feature, as tables. Used by the tests of deploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy import requests
from deploy.call import Call
from deploy.config import Config, parse
from deploy.facts import Facts

ROLE = "arn:aws:iam::123456789012:role/sagemaker-run"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-serving@sha256:" + "a" * 64
NEWER = IMAGE.replace("a" * 64, "b" * 64)
TABLE: dict[str, Any] = {
    "name": "churn",
    "region": "eu-west-1",
    "role": ROLE,
    "image": IMAGE,
    "artifact": "s3://bucket/churn/model.tar.gz",
}

MODES: dict[str, dict[str, Any]] = {
    "realtime": {},
    "serverless": {"serverless": {"memory_mb": 3072, "max_concurrency": 10}},
    "async": {"async": {"output": "s3://bucket/answers/", "failures": "s3://bucket/failures/", "concurrency": 4}},
    "batch": {"batch": {"input": "s3://bucket/in/", "output": "s3://bucket/out/", "split": "Line", "assemble": "Line"}},
    "multi-model": {"artifact": "s3://bucket/models/"},
    "multi-container": {"containers": [{"hostname": "one"}, {"hostname": "two", "artifact": "s3://bucket/b.tar.gz"}]},
    "pipeline": {"containers": [{}, {"image": NEWER, "environment": {"STAGE": 2}}]},
}
"""What each mode needs on top of TABLE."""

JOBS: dict[str, dict[str, Any]] = {
    "training": {"training": {"output": "s3://bucket/out/", "channels": {"training": "s3://bucket/train/"}}},
    "register": {"registry": {"description": "the first", "approve": True}},
    "recommend": {"recommend": {"sample": "s3://bucket/sample.tar.gz"}},
}

VPC = {"subnets": ["subnet-0a"], "security_groups": ["sg-0a"]}
CAPTURE = {"output": "s3://bucket/capture/", "percent": 20, "csv_types": ["text/csv"]}

FEATURES: dict[str, dict[str, Any]] = {
    "canary with alarms": {
        "update": {"strategy": "canary", "size": 10, "wait_s": 600, "terminate_wait_s": 60, "alarms": ["churn-5xx"]}
    },
    "linear": {"update": {"strategy": "linear", "size": 25, "timeout_s": 3600}},
    "rolling": {"update": {"strategy": "rolling", "size": 1, "unit": "instances", "rollback_size": 2}},
    "variants and weights": {"variants": [{"name": "old", "weight": 9}, {"name": "new", "image": NEWER, "count": 2}]},
    "a shadow": {"shadow": {"name": "shadow", "image": NEWER, "weight": 0.5}},
    "data capture": {"capture": CAPTURE},
    "in a VPC, isolated": {"network": {**VPC, "isolation": True}},
    "files instead of an archive": {"artifact": "s3://bucket/churn/files/", "artifact_mb": 20_000},
    "routing and disk": {"instances": {"routing": "least-outstanding", "volume_gb": 60, "type": "ml.m5.xlarge"}},
    "scaling by invocations": {"scaling": {"max": 4, "target": 700, "scale_in_cooldown_s": 600}},
    "scaling by concurrency": {"scaling": {"max": 4, "metric": "concurrency", "target": 5}},
    "scaling by the clock": {
        "scaling": {"max": 4, "schedules": [{"name": "night", "at": "cron(0 22 * * ? *)", "min": 1, "max": 1}]}
    },
    "async to zero": {
        "mode": "async",
        **MODES["async"],
        "instances": {"count": 1},
        "scaling": {"min": 0, "max": 3, "target": 5},
    },
    "async with topics": {
        "mode": "async",
        "async": {
            "output": "s3://bucket/answers/",
            "success_topic": "arn:aws:sns:eu-west-1:123456789012:good",
            "error_topic": "arn:aws:sns:eu-west-1:123456789012:bad",
            "topics_have_answers": True,
        },
    },
    "serverless, always warm": {
        "mode": "serverless",
        "serverless": {"memory_mb": 2048, "max_concurrency": 10, "provisioned_concurrency": 2},
        "scaling": {"min": 1, "max": 5, "target": 0.7},
    },
    "components to zero": {
        "instances": {"min_count": 0, "max_count": 2, "type": "ml.g5.xlarge"},
        "components": [
            {"name": "a", "cpus": 1, "memory_mb": 2048, "scaling": {"min": 0, "max": 2, "target": 3}},
            {"name": "b", "accelerators": 1, "copies": 2, "artifact": "s3://bucket/b.tar.gz"},
        ],
    },
    "a whole batch job": {
        "mode": "batch",
        "batch": {
            **MODES["batch"]["batch"],
            "content_type": "text/csv",
            "join": "Input",
            "input_filter": "$[1:]",
            "output_filter": "$[0,-1]",
            "strategy": "MultiRecord",
            "max_payload_mb": 10,
            "max_concurrent": 4,
            "timeout_s": 900,
            "max_retries": 1,
            "environment": {"SERVING_BAD_RECORDS": "placeholder"},
        },
    },
    "training on spot": {
        "mode": "training",
        "training": {
            **JOBS["training"]["training"],
            "spot": True,
            "checkpoints": "s3://bucket/checkpoints/",
            "hyperparameters": {"max_iter": 200, "warm": True},
            "metrics": {"validation:accuracy": "accuracy=([0-9.]+)"},
        },
    },
    "a recommendation under load": {
        "mode": "recommend",
        "recommend": {"sample": "s3://bucket/sample.tar.gz", "users": 4, "latency_ms": 200, "duration_s": 7200},
    },
}
"""What deploy.toml may say beyond its mode, each on top of TABLE."""

EVERY: dict[str, dict[str, Any]] = {
    **{name: {"mode": name, **over} for name, over in {**MODES, **JOBS}.items()},
    **FEATURES,
}


def config(mode: str = "realtime", **over: Any) -> Config:
    """A complete configuration of a mode; what is given wins."""
    return parse({**TABLE, "mode": mode, **MODES.get(mode, JOBS.get(mode, {})), **over})


def feature(name: str, **over: Any) -> Config:
    return parse({**TABLE, **FEATURES[name], **over})


def calls(config: Config, facts: Facts | None = None) -> list[Call]:
    return requests.build(config, facts or Facts(git_sha="0" * 40))


def parameters(config: Config, operation: str) -> Mapping[str, Any]:
    """Of the one call of this operation."""
    (found,) = (call for call in calls(config) if call.operation == operation)
    return found.parameters
