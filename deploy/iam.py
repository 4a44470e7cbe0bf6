"""Least-privilege policies for one deployment: of the role that runs it, and of whoever deploys it.

The statements are those of policies/*.json. What they are about (buckets, images, keys, topics, networks) is read from
the very requests that name it, so a mode gets what it needs and no more. Called by verbs/iam and doctor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import names, requests, s3
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError
from deploy.failure import GROUPS

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
SCALING_ROLE = (
    "sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
VOLUME_KEY = ("CreateEndpointConfig", "KmsKeyId")
"""Of the instances' disks."""
IMAGES, TOPICS, KEYS = {"Image", "TrainingImage"}, {"SuccessTopic", "ErrorTopic"}, {"KmsKeyId", "VolumeKmsKeyId"}
ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^@:]+)")
PACKED = re.compile(r"(?<=[^/]/)[0-9a-f]{16}/(model\.tar\.gz|files/)$")
"""What `package` makes of a model's content, behind its prefix."""
TRAINED = re.compile(r"-[0-9a-f]{8}(-\d+)?(?=/output/model\.tar\.gz$)")
"""What of the name of a job of `up training` changes with each training."""
PACKED_ANY, TRAINED_ANY = f"{'?' * 16}/*", "-*"
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

RECOMMENDER = (
    "A job of Inference Recommender makes models and endpoints as this role, which this policy does not allow."
)
FOR_RECOMMENDER = (
    "AWS documents no smaller policy for that than AmazonSageMakerFullAccess: attach it to a role of its own."
)
"""https://docs.aws.amazon.com/sagemaker/latest/dg/inference-recommender-prerequisites.html; as whom, by VolumeKmsKeyId:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RecommendationJobInputConfig.html"""

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
    calls = requests.build(config)
    found = Named([*_named(calls)])
    (partition, account), group = of_role(config.role), config.registry.group or config.name
    component, scales = names.component(config.name, "*"), any(call.kind == "scalable-target" for call in calls)
    arn = f"arn:{partition}:{{}}:{region}:{account}:{{}}".format
    return {
        "partition": partition,
        "region": region,
        "account": account,
        "role": config.role,
        "name": config.name,
        "component": component,
        "lower_name": config.name.lower(),  # SageMaker's ARNs are in lower case whatever the name is
        "lower_prefix": names.prefix_of(config.name).lower(),
        "lower_component": component.lower(),
        "lower_group": group.lower(),
        "repositories": [each for image in found.of(IMAGES) if (each := _repository(image, partition))],
        "log_groups": [arn("logs", f"log-group:{each}:*") for each in _log_groups(calls, config.name, component)],
        "new_targets": [arn("application-autoscaling", "scalable-target/*")] if scales else [],
        "scaling_role": [f"arn:{partition}:iam::*:role/aws-service-role/{SCALING_ROLE}"] if scales else [],
        "topics": found.of(TOPICS),
        "keys": [_key_arn(each, partition, region, account) for each in found.of(KEYS)],
        "volume_keys": [_key_arn(value, partition, region, account) for path, value in found.all if path == VOLUME_KEY],
        "network": ["*"] if any("VpcConfig" in path for path, _ in found.all) else [],
        **_in_s3(found, partition, of_package(account, region, config.name)),
    }


def _in_s3(found: Named, partition: str, of_package: str) -> Values:
    addresses = [*found.of(OBJECTS), *found.of(PREFIXES, within=FILES)]
    artifacts = sorted({_versions(each) for each in addresses})
    packed = [each for each in artifacts if each.endswith(PACKED_ANY)] or [_versions(of_package)]
    # all that begins with an input is read, as with S3Prefix; what else is written or kept is a folder
    inputs = [f"{each}*" for each in found.of(PREFIXES, but={FILES, CHECKPOINTS})]
    checkpoints = [_below(each) for each in found.of(PREFIXES, within=CHECKPOINTS)]
    written = [_below(each) for each in found.of(WRITTEN)]
    answers = [_below(each) for each in found.of({"S3OutputPath"}, within=ASYNC)]
    failures = [_below(each) for each in found.of({"S3FailurePath"}, within=ASYNC)]
    listed = [*(_versions(each) for each in addresses if each.endswith("/")), *inputs, *checkpoints]

    def arns_of(patterns: Iterable[str]) -> list[str]:
        return [f"arn:{partition}:s3:::{each.removeprefix(s3.SCHEME)}" for each in sorted({*patterns})]

    return {
        "read": arns_of([*artifacts, *inputs, *checkpoints, *answers]),
        "written": arns_of([*written, *checkpoints]),
        "listed_buckets": arns_of(s3.split(each)[0] for each in listed),
        "listed_prefixes": sorted({s3.split(each)[1] for each in listed}),
        "looked_at": arns_of([*artifacts, *packed, *answers, *failures]),
        "stored": arns_of([*packed, *answers]),
        "buckets": arns_of(s3.split(each)[0] for each in [*artifacts, *packed, *inputs, *checkpoints, *written]),
    }


@dataclass(frozen=True)
class Named:
    """Every string of the requests, with the keys that lead to it."""

    all: list[tuple[tuple[str, ...], str]]

    def of(self, keys: set[str], *, within: str = "", but: Set[str] = frozenset()) -> list[str]:
        """Those under one of the keys, inside of `within` and outside of `but`."""
        found = ((path, value) for path, value in self.all if path[-1] in keys and not but & {*path})
        return sorted({value for path, value in found if within in ("", *path)})


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


def of_package(account: str, region: str, name: str) -> str:
    """Where `package` puts a model if --to does not say."""
    return f"s3://sagemaker-{region}-{account}/{name}/{'0' * 16}/model.tar.gz"


def _versions(address: str) -> str:
    """The artifact, and those that come after it where we name them: a new model then needs no new policy.

    ? is any one character: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    if PACKED.search(address):
        return PACKED.sub(PACKED_ANY, address)
    return TRAINED.sub(TRAINED_ANY, address) + ("*" if address.endswith("/") else "")


def _below(address: str) -> str:
    """A folder's objects: without the slash answers* would be answers-secret/ too."""
    return f"{address.rstrip('/')}/*"


def _log_groups(calls: Sequence[Call], name: str, component: str) -> list[str]:
    """Jobs of a kind have a group in common, all else has one of its name."""
    kinds = sorted({call.kind for call in calls} & GROUPS.keys()) or ["endpoint"]
    return [GROUPS[each].format(component if each == "inference-component" else name) for each in kinds]


def _repository(image: str, partition: str) -> str:
    """Empty for a registry that is not ECR: IAM has no say there."""
    found = ECR.match(image)
    return f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}" if found else ""


def _key_arn(key: str, partition: str, region: str, account: str) -> str:
    """Raises DeployError for an alias, which a policy cannot name."""
    if "alias/" in key:
        raise DeployError(f"A policy cannot name the key {key} by its alias.", "Write the key's id or ARN.")
    return key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{key}"
