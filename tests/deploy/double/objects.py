"""S3 as the double's own handlers read and write it: straight in moto's memory."""

from __future__ import annotations

from moto.s3.models import S3Backend, s3_backends

from tests.deploy.double.call import ACCOUNT, Refusal


def store() -> S3Backend:
    return s3_backends[ACCOUNT]["aws"]


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def join(prefix: str, *names: str) -> str:
    return "/".join([prefix.rstrip("/"), *names])


def read(uri: str) -> bytes:
    found = store().get_object(*split(uri))
    if found is None:
        raise Refusal(f"Could not find model data at {uri}.")
    body: bytes = found.value
    return body


def write(uri: str, body: bytes) -> None:
    store().put_object(*split(uri), body)


def under(bucket: str, prefix: str) -> list[str]:
    """The keys that begin with a prefix."""
    return sorted(key for key in store().get_bucket(bucket).keys if key.startswith(prefix))
