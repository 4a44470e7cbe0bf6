"""What AWS's refusals mean, and what to do about each. Called by aws and failure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deploy.errors import DeployError


class NotFound(DeployError):
    """There is no such thing."""


class AlreadyThere(DeployError):
    """Something has that name."""


class Busy(DeployError):
    """It is being changed."""


MISSING_CODES = {
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ObjectNotFoundException",
    "NoSuchKey",
    "NoSuchBucket",
    "NoSuchEntity",
    "404",
}
MISSING = re.compile(r"could not find|does not exist|not found|no such", re.IGNORECASE)
THERE = re.compile(r"already exist|must be unique|already in use|job with the same name", re.IGNORECASE)
BUSY = re.compile(r"in[- ]progress|is being (created|updated|deleted)|while (it is|status)", re.IGNORECASE)

NEXT_STEPS: tuple[tuple[str, str], ...] = (
    (
        r"ResourceLimitExceeded|service limit|quota",
        "Ask for a higher quota of this instance type (Service Quotas, Amazon SageMaker, `TYPE for endpoint usage`), "
        "or take another type: --instance-type.",
    ),
    (
        r"iam:PassRole",
        "Whoever deploys needs iam:PassRole for the execution role, with the condition iam:PassedToService = "
        "sagemaker.amazonaws.com. `python -m deploy doctor` prints the statement.",
    ),
    (
        r"(role|service).*assume|assume.*role|trust",
        "The execution role's trust policy has to name sagemaker.amazonaws.com.",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|not authorized|Forbidden",
        "The identity that deploys lacks this permission. `python -m deploy doctor` prints the statement.",
    ),
    (r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|RequestExpired", "Log in again."),
    (
        r"manifest media type|manifest type|image\.index",
        "SageMaker takes Docker's manifest, version 2, schema 2: push with ./build_and_push.sh.",
    ),
    (
        r"ecr|repository|image.*(exist|find|pull)",
        "Push the image to this account and region, and name it by digest; the role has to read the repository.",
    ),
    (
        r"model data|ModelDataUrl|s3://|bucket",
        "The artifact has to be in a bucket of this region that the execution role may read.",
    ),
    (r"Throttl|RequestLimitExceeded|TooManyRequests", "AWS is busy with this account; run the verb again."),
)
"""What is in the code or the text, and what to do then; the first that fits."""


def refusal(operation: str, error: Mapping[str, str]) -> DeployError:
    """The error of a call as ours: NotFound, AlreadyThere and Busy are told apart, since code acts on them."""
    code, text = error.get("Code", ""), error.get("Message", "")
    reason = f"{operation} was refused: {text or code} ({code})"
    if code in MISSING_CODES or (code == "ValidationException" and MISSING.search(text)):
        return NotFound(reason, next_step(reason))
    if code == "ResourceInUse" or THERE.search(text):
        return AlreadyThere(reason, next_step(reason))
    return (Busy if BUSY.search(text) else DeployError)(reason, next_step(reason))


def next_step(text: str) -> str:
    found = (step for pattern, step in NEXT_STEPS if re.search(pattern, text, re.IGNORECASE))
    return next(found, "See what AWS says above, change deploy.toml, run the verb again.")
