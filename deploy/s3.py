"""Addresses in S3. Called by all that has one."""

from __future__ import annotations

SCHEME = "s3://"


def split(address: str) -> tuple[str, str]:
    """Bucket and key, or prefix, of s3://BUCKET/KEY."""
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    return bucket, key
