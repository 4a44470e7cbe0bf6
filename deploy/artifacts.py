"""Whether the artifacts are there, and how big they are. Called by the verbs plan and up, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator

from deploy import s3
from deploy.aws import Aws
from deploy.config import Config
from deploy.errors import DeployError
from deploy.refusals import NotFound
from deploy.sections import Component, Container, Variant

WITHOUT = ("training",)


def sizes(aws: Aws, config: Config) -> tuple[dict[str, int], list[str]]:
    """Bytes by address, and what could not be looked at. Raises DeployError naming every artifact that is not there."""
    found: dict[str, int] = {}
    missing, warnings = [], []
    for address in sorted(set(_addresses(config))):
        try:
            found[address] = _prefix(aws, address) if address.endswith("/") else _object(aws, address)
        except NotFound:
            missing.append(address)
        except DeployError as error:
            warnings.append(f"the size of {address} is not known: {error.reason}")
    if missing:
        raise DeployError(f"There is no artifact {', none '.join(missing)}.", "Upload it: `python -m deploy package`.")
    return found, warnings


def _addresses(config: Config) -> Iterator[str]:
    if config.mode in WITHOUT:
        return
    several = config.mode in ("multi-container", "pipeline")
    parts: list[Container | Variant | Component] = [*config.containers] if several else [*config.variants]
    if not several:
        parts += [*config.components, *([config.shadow] if config.shadow else [])]
    yield from (each.artifact for each in parts if each.artifact)
    if config.artifact and not several:
        yield config.artifact


def _object(aws: Aws, address: str) -> int:
    bucket, key = s3.split(address)
    return int(aws.call("s3", "HeadObject", Bucket=bucket, Key=key)["ContentLength"])


def _prefix(aws: Aws, address: str) -> int:
    """Of all that is below; a prefix of many models may be empty as yet."""
    bucket, prefix = s3.split(address)
    return sum(int(each["Size"]) for each in aws.every("s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=prefix))
