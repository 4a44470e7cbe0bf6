"""What deploy.toml may say: a section a class, a key a field. Filled in by config, read by requests/.

None is what the file does not say; AWS's own default then holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.forms import ADDRESS, ARTIFACT, IMAGE, INSTANCE_TYPE, NAME, Form

MODES = ("realtime", "serverless", "async", "batch", "multi-model", "multi-container", "pipeline")
"""What keeps something that answers; the words of `up` that run a job or register a model are JOBS."""

JOBS = ("training", "register", "recommend")


def some(text: str, form: Form | None = None) -> Any:
    """A field that starts empty: names to values."""
    return dataclasses.field(default_factory=dict, metadata={"text": text, "form": form})


def key(text: str, default: Any = None, key: str = "", one_of: tuple[str, ...] = (), form: Form | None = None) -> Any:
    """A field with its text, its name in TOML where that differs, the words that it may be, or how it has to look."""
    return dataclasses.field(default=default, metadata={"text": text, "key": key, "one_of": one_of, "form": form})


@dataclass(frozen=True, kw_only=True)
class Network:
    subnets: tuple[str, ...] = key("subnets that the container's network interfaces are in", ())
    security_groups: tuple[str, ...] = key("their security groups", ())
    isolation: bool = key("no network at all for the container", False)


@dataclass(frozen=True, kw_only=True)
class Instances:
    type: str = key("instance type", "ml.m5.large", form=INSTANCE_TYPE)
    count: int = key("instances to begin with", 1)
    min_count: int | None = key("fewest instances, where SageMaker scales them for inference components")
    max_count: int | None = key("most of them")
    volume_gb: int | None = key("disk for model and container")
    kms_key: str | None = key("key of that disk")
    startup_timeout_s: int | None = key("until /ping is 200; from the artifact's size if not said")
    download_timeout_s: int | None = key("for the artifact; from its size if not said")
    routing: str | None = key("how requests are spread", one_of=("least-outstanding", "random"))
    ami: str | None = key("host image, which says the GPU driver")


@dataclass(frozen=True, kw_only=True)
class Serverless:
    memory_mb: int = key("memory, in whole GB", 2048)
    max_concurrency: int = key("requests at once", 5)
    provisioned_concurrency: int | None = key("of which always warm, and always paid")


@dataclass(frozen=True, kw_only=True)
class Async:
    output: str = key("s3:// prefix of the answers", "", form=ADDRESS)
    failures: str | None = key("s3:// prefix of the errors", form=ADDRESS)
    concurrency: int | None = key("requests at once for each instance")
    success_topic: str | None = key("SNS topic told of answers")
    error_topic: str | None = key("SNS topic told of errors")
    topics_have_answers: bool = key("whether topics are told the answer too, up to 128 KB", False)
    kms_key: str | None = key("key of the answers")


@dataclass(frozen=True, kw_only=True)
class Batch:
    input: str = key("s3:// prefix of what to predict", "", form=ADDRESS)
    output: str = key("s3:// prefix of the answers", "", form=ADDRESS)
    type: str = key("instance type", "ml.m5.large", form=INSTANCE_TYPE)
    count: int = key("instances", 1)
    content_type: str | None = key("media type of the input")
    accept: str | None = key("media type of the answers")
    compression: str | None = key("of the input", one_of=("None", "Gzip"))
    split: str | None = key("how a file becomes records", one_of=("None", "Line", "RecordIO", "TFRecord"))
    assemble: str | None = key("how answers become a file", one_of=("None", "Line"))
    strategy: str | None = key("records a request", one_of=("MultiRecord", "SingleRecord"))
    max_payload_mb: int | None = key("largest request; 0: a file at once")
    max_concurrent: int | None = key("requests at once for each instance")
    timeout_s: int | None = key("of one request")
    max_retries: int | None = key("of one request")
    input_filter: str | None = key("JSONPath of what the model gets")
    output_filter: str | None = key("JSONPath of what is written")
    join: str | None = key("whether the input is written beside the answer", one_of=("Input", "None"))
    environment: Mapping[str, str] = some("for this job alone, at most 16")
    kms_key: str | None = key("key of the answers")


@dataclass(frozen=True, kw_only=True)
class MultiModel:
    cache: bool = key("keep unloaded models on disk until space is short", True)


@dataclass(frozen=True, kw_only=True)
class Container:
    hostname: str | None = key("what TargetContainerHostname calls it", form=NAME)
    image: str | None = key("if not the top one", form=IMAGE)
    artifact: str | None = key("model.tar.gz, or a prefix that ends in /", form=ARTIFACT)
    environment: Mapping[str, str] = some("on top of the common one")


@dataclass(frozen=True, kw_only=True)
class Variant:
    name: str = key("name", "main", form=NAME)
    weight: float = key("share of the requests", 1.0)
    image: str | None = key("if not the top one", form=IMAGE)
    artifact: str | None = key("if not the top one", form=ARTIFACT)
    type: str | None = key("if not that of [instances]", form=INSTANCE_TYPE)
    count: int | None = key("if not that of [instances]")
    environment: Mapping[str, str] = some("on top of the common one")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    name: str = key("name", "")
    at: str = key("cron(...), rate(...) or at(...)", "")
    min: int | None = key("fewest from then on")
    max: int | None = key("most from then on")
    timezone: str | None = key("such as Europe/Paris; UTC if not said")


@dataclass(frozen=True, kw_only=True)
class Scaling:
    min: int = key("fewest instances or copies", 1)
    max: int = key("most of them", 1)
    metric: str | None = key("what to hold", one_of=("invocations", "concurrency", "backlog", "utilization"))
    target: float | None = key("at which value, for each of them; none: by schedule alone")
    scale_in_cooldown_s: int | None = key("between two steps down")
    scale_out_cooldown_s: int | None = key("between two steps up")
    schedules: tuple[Schedule, ...] = key("times with other bounds", ())


@dataclass(frozen=True, kw_only=True)
class Component:
    name: str = key("name", "", form=NAME)
    image: str | None = key("if not the top one", form=IMAGE)
    artifact: str | None = key("if not the top one", form=ARTIFACT)
    environment: Mapping[str, str] = some("on top of the common one")
    copies: int = key("copies to begin with", 1)
    memory_mb: int = key("least memory of a copy", 1024)
    max_memory_mb: int | None = key("most of it")
    cpus: float | None = key("cores of a copy")
    accelerators: float | None = key("GPUs of a copy")
    scaling: Scaling | None = key("of its copies")


@dataclass(frozen=True, kw_only=True)
class Capture:
    output: str = key("s3:// prefix of the copies", "", form=ADDRESS)
    percent: int = key("share of the requests", 100)
    what: str = key("which side", "both", one_of=("input", "output", "both"))
    csv_types: tuple[str, ...] = key("media types kept as CSV", ())
    json_types: tuple[str, ...] = key("media types kept as JSON", ())
    kms_key: str | None = key("key of the copies")


@dataclass(frozen=True, kw_only=True)
class Update:
    strategy: str = key(
        "how a new one takes over", "all-at-once", one_of=("all-at-once", "canary", "linear", "rolling")
    )
    size: int = key("first step, or each step", 10)
    unit: str = key("of size", "percent", one_of=("percent", "instances"))
    rollback_size: int | None = key("of a step back, where rolling")
    wait_s: int = key("between two steps, watched by the alarms", 300)
    terminate_wait_s: int | None = key("before the old instances go")
    timeout_s: int | None = key("for all of it")
    alarms: tuple[str, ...] = key("CloudWatch alarms that turn it back", ())


@dataclass(frozen=True, kw_only=True)
class Training:
    channels: Mapping[str, str] = some("channel = s3:// prefix", form=ADDRESS)
    output: str = key("s3:// prefix of the artifacts", "", form=ADDRESS)
    type: str = key("instance type", "ml.m5.large", form=INSTANCE_TYPE)
    count: int = key("instances", 1)
    volume_gb: int = key("disk", 30)
    max_runtime_s: int = key("longest run", 86400)
    spot: bool = key("on spare capacity", False)
    max_wait_s: int | None = key("longest wait for it and run")
    checkpoints: str | None = key("s3:// prefix of checkpoints", form=ADDRESS)
    input_mode: str = key("how channels come", "File", one_of=("File", "FastFile", "Pipe"))
    content_type: str | None = key("media type of the channels")
    hyperparameters: Mapping[str, str] = some("given to train(job)")
    metrics: Mapping[str, str] = some("metric = regular expression, one group")
    environment: Mapping[str, str] = some("of the job")
    kms_key: str | None = key("key of the artifacts")


@dataclass(frozen=True, kw_only=True)
class Registry:
    group: str | None = key("model package group; the name if not said", form=NAME)
    description: str = key("of this version", "")
    content_types: tuple[str, ...] = key("media types it reads", ("text/csv", "application/json"))
    response_types: tuple[str, ...] = key("media types it writes", ("application/json", "text/csv"))
    instance_types: tuple[str, ...] = key("types it may run on", ("ml.m5.large", "ml.m5.xlarge"), form=INSTANCE_TYPE)
    approve: bool = key("whether it is approved as it is registered", False)


@dataclass(frozen=True, kw_only=True)
class Recommend:
    sample: str = key("s3:// tar.gz of sample requests", "", form=ADDRESS)
    content_types: tuple[str, ...] = key("their media types", ("text/csv",))
    instance_types: tuple[str, ...] = key(
        "types to try", ("ml.m5.large", "ml.c5.large", "ml.c6i.large"), form=INSTANCE_TYPE
    )
    domain: str = key("the model's domain", "MACHINE_LEARNING")
    task: str = key("the model's task", "OTHER")
    framework: str = key("its framework", "SAGEMAKER-SCIKIT-LEARN")
    framework_version: str | None = key("its version")
    duration_s: int | None = key("longest run")
    users: int | None = key("clients to begin with, which makes the job an Advanced one")
    latency_ms: int | None = key("95th percentile at which to stop")
