"""The images as ECR has them: there, as SageMaker takes them, for the CPU they will run on. A check of doctor."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.doctor import refused
from deploy.doctor.finding import Case, Finding, fine, unknown, wrong
from deploy.errors import DeployError
from deploy.iam import ECR
from deploy.refusals import NotFound, Unanswered
from deploy.rules.parts import containers, of, variants

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
PUSH = "Push it: ./build_and_push.sh --instance-type {} --region {}."
SERVERLESS_BYTES = 10 << 30
"""https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html"""
GRAVITON = re.compile(r"ml\.([a-z]+[0-9]+g[a-z]*|[a-z0-9]+-gb[0-9]+)\..+")
"""As build_and_push.sh tells them."""
ANSWER_S = 20
ELSEWHERE = (
    "Push it to ECR: ./build_and_push.sh. SageMaker pulls from another registry only in your VPC, by ImageConfig, for "
    "which `python -m deploy` has no key."
)
"""https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-containers-inference-private.html"""
CAPABILITY = "com.amazonaws.sagemaker.capabilities."
LABELS = {
    "multi-model": f"{CAPABILITY}multi-models",
    "multi-container": f"{CAPABILITY}accept-bind-to-port",
    "pipeline": f"{CAPABILITY}accept-bind-to-port",
}
"""What the image has to say for a mode: https://docs.aws.amazon.com/sagemaker/latest/dg/build-multi-model-build-container.html
and https://docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html"""


def check(case: Case) -> Iterator[Finding]:
    for image in sorted(set(_images(case))):
        found = ECR.match(image)
        if found is None:
            yield unknown("image", f"{image} is not in ECR", ELSEWHERE)
        elif found["region"] != case.aws.region:
            text = f"{image} is in {found['region']}, the endpoint will be in {case.aws.region}"
            yield wrong("image", text, PUSH.format(_first_type(case), case.aws.region))
        else:
            yield from _in_ecr(case, image, found)


def _in_ecr(case: Case, image: str, found: re.Match[str]) -> Iterator[Finding]:
    rest = image[found.end() :]
    name = {"imageDigest": rest[1:]} if rest.startswith("@") else {"imageTag": rest[1:].partition("@")[0] or "latest"}
    where = {"registryId": found["account"], "repositoryName": found["name"], "imageIds": [name]}
    try:
        (told,) = case.aws.call("ecr", "DescribeImages", **where)["imageDetails"]
    except NotFound as error:
        what = "repository" if "RepositoryNotFound" in error.reason else "image"
        yield wrong("image", f"there is no such {what}: {image}", PUSH.format(_first_type(case), case.aws.region))
        return
    problems = [*_form(told, image), *_size(case, told, image), *_inside(case, where, image)]
    yield from problems or [fine("image", f"{image}, {told.get('imageSizeInBytes', 0) >> 20} MB packed")]


def _form(told: Mapping[str, Any], image: str) -> Iterator[Finding]:
    """SageMaker takes one form alone: https://github.com/aws/amazon-sagemaker-feedback/issues/180"""
    kind = told.get("imageManifestMediaType", MEDIA_TYPE)
    if kind != MEDIA_TYPE:
        yield wrong("image", f"{image} is {kind}", f"SageMaker takes {MEDIA_TYPE}: push with ./build_and_push.sh.")


def _size(case: Case, told: Mapping[str, Any], image: str) -> Iterator[Finding]:
    if case.wanted.mode == "serverless" and told.get("imageSizeInBytes", 0) > SERVERLESS_BYTES:
        yield wrong(
            "image", f"{image} is above 10 GB", "Serverless takes no more: leave packages out, or use instances."
        )


def _inside(case: Case, where: Mapping[str, Any], image: str) -> Iterator[Finding]:
    """The image's own words, which are in its config."""
    try:
        told = case.aws.call("ecr", "BatchGetImage", **where, acceptedMediaTypes=[MEDIA_TYPE])["images"]
        config = _config(case, where, told[0]["imageManifest"]) if told else {}
    except DeployError as error:
        change = refused.step(case, error.reason, error.next_step)
        yield unknown("image", f"the CPU and the labels of {image}: {error.reason}", change)
        return
    if config:
        yield from _cpu(case, image, config["architecture"])
        yield from _labels(case, image, config.get("config", {}).get("Labels") or {})


def _cpu(case: Case, image: str, built: str) -> Iterator[Finding]:
    needed = {architecture(each): each for each in _types(case)}
    for cpu, kind in sorted(needed.items()):
        if built != cpu:
            text = f"{image} is for {built}, {kind} is {cpu}: exec format error"
            yield wrong("image", text, PUSH.format(kind, case.aws.region))


def _labels(case: Case, image: str, labels: Mapping[str, str]) -> Iterator[Finding]:
    label = LABELS.get(case.wanted.mode)
    if label and labels.get(label) != "true":
        text = f"{image} has no label {label}=true, without which SageMaker refuses it in mode {case.wanted.mode}"
        yield wrong("image", text, f"Write `LABEL {label}=true` into its Dockerfile, then build and push it again.")


def _config(case: Case, where: Mapping[str, Any], manifest: str) -> dict[str, Any]:
    layer = {"registryId": where["registryId"], "repositoryName": where["repositoryName"]}
    digest = json.loads(manifest)["config"]["digest"]
    url = case.aws.call("ecr", "GetDownloadUrlForLayer", **layer, layerDigest=digest)["downloadUrl"]
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S) as reply:  # noqa: S310  # ECR says the address
            config: dict[str, Any] = json.load(reply)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise Unanswered(
            f"its config could not be fetched: {error}", "Look with `docker manifest inspect -v`."
        ) from None
    return config


def architecture(instance_type: str) -> str:
    return "arm64" if GRAVITON.fullmatch(instance_type) else "amd64"


def _types(case: Case) -> list[str]:
    """What the images are to run on; serverless has no type and is amd64."""
    found = [
        each.get("InstanceType", "serverless")
        for call in of(case.calls, "CreateEndpointConfig")
        for each in variants(call)
    ]
    found += [call.parameters["TransformResources"]["InstanceType"] for call in of(case.calls, "CreateTransformJob")]
    found += [call.parameters["ResourceConfig"]["InstanceType"] for call in of(case.calls, "CreateTrainingJob")]
    return found


def _first_type(case: Case) -> str:
    return next((each for each in _types(case) if each != "serverless"), "ml.m5.large")


def _images(case: Case) -> Iterator[str]:
    for call in of(case.calls, "CreateModel"):
        yield from (each["Image"] for each in containers(call) if "Image" in each)
    for call in of(case.calls, "CreateTrainingJob"):
        yield call.parameters["AlgorithmSpecification"]["TrainingImage"]
    for call in of(case.calls, "CreateModelPackage"):
        yield from (each["Image"] for each in call.parameters["InferenceSpecification"]["Containers"])
