"""Least-privilege policies for one deployment: of the role that runs it, and of whoever deploys it.

The statements are those of policies/*.json. What they are about (buckets, images, keys, topics, networks) is read from
the very requests that name it, so a mode gets what it needs and no more. Called by verbs/iam and doctor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy import names, requests, s3
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError

POLICIES = Path(__file__).absolute().parent / "policies"
KINDS = ("execution", "trust", "deployer")

OBJECTS, PREFIXES = {"ModelDataUrl", "ArtifactUrl", "SamplePayloadUrl"}, {"S3Uri"}
WRITTEN = {"S3OutputPath", "S3FailurePath", "DestinationS3Uri"}
FILES = "ModelDataSource"
"""Its S3Uri is a model."""
CHECKPOINTS = "CheckpointConfig"
"""Its S3Uri is read and written."""
ASYNC = "AsyncInferenceConfig"
"""Its output path is where `invoke` puts what is to be predicted."""
IMAGES, TOPICS, KEYS = {"Image", "TrainingImage"}, {"SuccessTopic", "ErrorTopic"}, {"KmsKeyId", "VolumeKmsKeyId"}
ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^@:]+)")
HASH = re.compile(r"[0-9a-f]{16}")
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

Policy = dict[str, Any]
Values = Mapping[str, str | list[str]]


def policy(kind: str, config: Config, region: str) -> Policy:
    """The policy document. Raises DeployError for a key that a policy cannot name."""
    told: Policy = json.loads((POLICIES / f"{kind}.json").read_text())
    given = values(config, region)
    filled = [_filled(each, given) for each in told["Statement"]]
    return {**told, "Statement": [each for each in filled if each.get("Resource") != []]}


def values(config: Config, region: str) -> Values:
    """What the placeholders stand for: a word, or a list of which a policy's list takes every member."""
    named = list(_named(requests.build(config)))
    (partition, account), prefix = of_role(config.role), names.prefix_of(config.name)

    def of(keys: set[str], *, within: str = "", but: str = "") -> list[str]:
        return sorted(
            {value for path, value in named if path[-1] in keys and but not in path and within in ("", *path)}
        )

    def arn_of(path: str) -> str:
        return f"arn:{partition}:s3:::{path.removeprefix('s3://')}"

    artifacts = [*of(OBJECTS), *of(PREFIXES, within=FILES)]
    models = sorted({_folder(each) for each in artifacts})
    inputs, answers = of(PREFIXES, but=FILES), of({"S3OutputPath", "S3FailurePath"}, within=ASYNC)
    listed = sorted({f"{_folder(each)}/" for each in artifacts if each.endswith("/")} | {*inputs})
    read = [*(f"{each}/" for each in models), *inputs, *of({"S3OutputPath"}, within=ASYNC)]
    return {
        "partition": partition,
        "region": region,
        "account": account,
        "role": config.role,
        "prefix": prefix,
        "lower_prefix": prefix.lower(),  # SageMaker's ARNs are in lower case whatever the name is
        "lower_group": (config.registry.group or config.name).lower(),
        "repositories": [arn for image in of(IMAGES) if (arn := _repository(image, partition))],
        "read": [arn_of(f"{each}*") for each in read],
        "written": [arn_of(f"{each.rstrip('/')}/*") for each in [*of(WRITTEN), *of(PREFIXES, within=CHECKPOINTS)]],
        "listed_buckets": sorted({arn_of(s3.split(each)[0]) for each in listed}),
        "listed_prefixes": sorted({f"{s3.split(each)[1]}*" for each in listed}),
        "stored": [arn_of(f"{each.rstrip('/')}/*") for each in [*models, *answers]],
        "stored_buckets": sorted({arn_of(s3.split(each)[0]) for each in [*models, *answers]}),
        "topics": of(TOPICS),
        "keys": [_key_arn(each, partition, region, account) for each in of(KEYS)],
        "network": ["*"] if any("VpcConfig" in path for path, _ in named) else [],
    }


def of_role(arn: str) -> tuple[str, str]:
    """Partition and account of arn:PARTITION:iam::ACCOUNT:role/NAME."""
    _, partition, _, _, account, _ = arn.split(":")
    return partition, account


def _named(calls: Sequence[Call]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string of the requests, with the keys that lead to it."""
    for call in calls:
        yield from strings(call.parameters, (call.operation,))


def strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string in a request, with the keys that lead to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from strings(each, (*path, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each, path)


def _filled(value: Any, given: Values) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: str(given[found[1]]), value)
    if isinstance(value, dict):
        return {name: _filled(each, given) for name, each in value.items()}
    return [filled for each in value for filled in _spliced(each, given)]


def _spliced(value: Any, given: Values) -> list[Any]:
    """What one member of a list becomes: several, where it stands for a list."""
    alone = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    several = given[alone[1]] if alone else None
    return several if isinstance(several, list) else [_filled(value, given)]


# what of a name counts


def _folder(address: str) -> str:
    """Where all versions of a model lie, so that a new one needs no new policy; `package` names theirs by hash."""
    folders = address.removeprefix("s3://").split("/")[:-1]
    return "/".join(folders[: next((i for i, each in enumerate(folders) if HASH.fullmatch(each)), None)])


def _repository(image: str, partition: str) -> str:
    """Empty for a registry that is not ECR: IAM has no say there."""
    found = ECR.match(image)
    return f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}" if found else ""


def _key_arn(key: str, partition: str, region: str, account: str) -> str:
    """Raises DeployError for an alias, which a policy cannot name."""
    if "alias/" in key:
        raise DeployError(f"A policy cannot name the key {key} by its alias.", "Write the key's id or ARN.")
    return key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{key}"
