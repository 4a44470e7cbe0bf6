"""Where ECR says that a layer can be fetched: a bucket of the double's S3, which tests fill by put()."""

from __future__ import annotations

from tests.deploy.double.call import Call
from tests.deploy.double.objects import store, write
from tests.deploy.double.shelf import Handler, Record
from tests.deploy.double.state import Double

BUCKET = "ecr-layers"


def put(digest: str, body: bytes, region: str) -> None:
    if BUCKET not in store().buckets:
        store().create_bucket(BUCKET, region)
    write(f"s3://{BUCKET}/{digest.removeprefix('sha256:')}", body)


def download_url(double: Double, call: Call) -> Record:
    digest = call.parameters["layerDigest"]
    url = f"{double.url}/{BUCKET}/{digest.removeprefix('sha256:')}?X-Amz-Signature=signed"
    return {"downloadUrl": url, "layerDigest": digest}


LAYERS: dict[str, Handler] = {"GetDownloadUrlForLayer": download_url}
