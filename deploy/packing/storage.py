"""Puts a packed model into S3 under the name of its content, once. Called by verbs/package."""

from __future__ import annotations

from collections.abc import Sequence

from deploy import s3
from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.packing.archive import NAME
from deploy.packing.members import Member

DIGITS = 16
FILES = "files/"
"""Where the files of an uncompressed model lie; SageMaker takes all that is below as the model."""


def bucket_and_prefix(aws: Aws, to: str | None, name: str) -> tuple[str, str]:
    """Where --to says, or in the bucket that SageMaker's own tools use. The prefix ends in a slash.

    Raises DeployError for a bucket that is not there.
    """
    if to is None:
        account = aws.call("sts", "GetCallerIdentity")["Account"]
        to = f"s3://sagemaker-{aws.region}-{account}/{name}"
    bucket, prefix = s3.split(to)
    if not to.startswith(s3.SCHEME) or not bucket:
        raise DeployError(f"--to {to} is no address in S3.", "Write s3://BUCKET/PREFIX.")
    _check_bucket(aws, bucket)
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def key_of(prefix: str, content_hash: str, *, uncompressed: bool) -> str:
    return f"{prefix}{content_hash[:DIGITS]}/{FILES if uncompressed else NAME}"


def is_there(aws: Aws, bucket: str, key: str) -> bool:
    """Whether an archive lies there: what is under the name of its content is that content."""
    return aws.find("s3", "HeadObject", Bucket=bucket, Key=key) is not None


def missing(aws: Aws, bucket: str, prefix: str, found: Sequence[Member]) -> list[Member]:
    """The files that a former run did not get to."""
    listed = aws.every("s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=prefix)
    there = {each["Key"].removeprefix(prefix): each["Size"] for each in listed}
    return [each for each in found if not each.is_folder and there.get(each.name) != each.size]


def _check_bucket(aws: Aws, bucket: str) -> None:
    if aws.find("s3", "HeadBucket", Bucket=bucket) is None:
        step = f"Make it (aws s3 mb s3://{bucket} --region {aws.region}), or name another one: --to s3://BUCKET/PREFIX."
        raise DeployError(f"There is no bucket {bucket}.", step)
