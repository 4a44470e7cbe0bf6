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


class Unanswered(DeployError):
    """Nobody knows: the question or its answer was lost."""


MISSING_CODES = re.compile(r"\w*NotFound(Exception)?|NoSuch\w+|404")
MISSING = re.compile(r"could not find|does not exist|not found|no such", re.IGNORECASE)
THERE = re.compile(r"already exist|must be unique|already in use|job with the same name", re.IGNORECASE)
BUSY = re.compile(r"in[- ]progress|is being (created|updated|deleted)|while (it is|status)", re.IGNORECASE)

NEXT_STEPS: tuple[tuple[str, str], ...] = (
    (
        r"\(ModelError\)$",
        "The model's server said so. For a 4xx change the request; for a 5xx `python -m deploy logs` tells more.",
    ),
    (
        r"log group does not exist",
        "Nothing was logged yet; a container that never started logs nothing. `python -m deploy status` tells how it "
        "is; what the image does by itself shows `docker run --rm IMAGE serve`.",
    ),
    (
        r"explicit deny|service control policy|permissions boundary",
        "A policy of the organisation, or a boundary, denies this whatever else is allowed: only who keeps the account "
        "can change that.",
    ),
    (
        r"could not access model data",
        "One of three: the role's trust policy does not name sagemaker.amazonaws.com, the role has no s3:GetObject on "
        "this address, or the bucket is in another region. `python -m deploy doctor` looks at all three.",
    ),
    (
        r"serverless.*(limit|quota)|(limit|quota).*serverless|concurrency.*serverless",
        "Less serverless.memory_mb or max_concurrency, or ask for a higher quota: Service Quotas, Amazon SageMaker, "
        "serverless.",
    ),
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
        r"signature (expired|not yet current)|RequestTimeTooSkewed|RequestExpired|RequestInTheFuture",
        "This machine's clock is wrong by more than AWS allows: set it (`timedatectl set-ntp true`), then again.",
    ),
    (
        r"batchgetimage permission|not authorized.*\becr:(batch|getdownload)|included in the model.*exist",
        "Either the image is not there, or the execution role may not pull it: it needs ecr:BatchGetImage, "
        "ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability on the repository, and a repository of another "
        "account has to allow the role too. `python -m deploy doctor` looks.",
    ),
    (
        r"not authorized.*\becr:createrepository",
        "Create the repository once with an identity that may, or take a name that contains `sagemaker`: "
        "the managed SageMaker policy reaches no other.",
    ),
    (
        r"(could not|cannot|unable to) assume|to assume the role|trust (policy|relationship)",
        "The execution role's trust policy has to name sagemaker.amazonaws.com.",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|not authorized|Forbidden",
        "The identity that deploys lacks this permission. `python -m deploy doctor` prints the statement.",
    ),
    (
        r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|token has expired",
        "Log in again: `aws sso login`, or new keys by `aws configure`.",
    ),
    (
        r"manifest media type|manifest type|image\.index|vnd\.oci\.",
        "SageMaker takes Docker's manifest, version 2, schema 2: push with ./build_and_push.sh.",
    ),
    (
        r"image size.*greater|image.*(too large|exceeds)",
        "Serverless takes images of up to 10 GB: leave packages out, or deploy on instances.",
    ),
    (
        r"instance ?type.*(not supported|unsupported|not available)|unsupported instance",
        "This type is not offered in this region, or not for this mode: take another, --instance-type.",
    ),
    (
        r"(different|another|wrong|in this) region|PermanentRedirect|IllegalLocationConstraint",
        "Image, artifact and endpoint have to be in one region: copy what is elsewhere, or change region.",
    ),
    (
        r"model package.*(not approved|approval)|ModelApprovalStatus",
        "Approve the version in the registry first: `python -m deploy up register --set registry.approve=true`.",
    ),
    (
        r"\brole\b.*(not found|cannot be found)",
        "Make the role, or name another: docs/iam.md has the commands.",
    ),
    (
        r"\becr\b|repository|image.*(exist|find|found|pull)",
        "Push the image to this account and region, and name it by digest; the role has to read the repository.",
    ),
    (
        r"model data|ModelDataUrl|s3://|bucket",
        "The artifact has to be in a bucket of this region that the execution role may read.",
    ),
    (
        r"already exist|must be unique|already in use",
        "Something that was not made here has this name: take another, --name, or remove it.",
    ),
    (
        r"in[- ]progress|is being (created|updated|deleted)",
        "It is being changed; `python -m deploy status` looks, `up` waits for its end.",
    ),
    (
        r"Throttl|RequestLimitExceeded|TooManyRequests|rate exceeded",
        "AWS is busy with this account; run the verb again.",
    ),
    (
        r"insufficient.*capacity|unable to provision|capacity error",
        "AWS has no such instance free now: take another type or region, or try again later.",
    ),
)
"""What is in the code or the text, and what to do then; the first that fits."""


def refusal(operation: str, error: Mapping[str, str]) -> DeployError:
    """The error of a call as ours: NotFound, AlreadyThere and Busy are told apart, since code acts on them."""
    code, text = error.get("Code", ""), error.get("Message", "")
    reason = f"{operation} was refused: {text or code} ({code})"
    if MISSING_CODES.fullmatch(code) or (code == "ValidationException" and MISSING.search(text)):
        return NotFound(reason, next_step(reason))
    if code == "ResourceInUse" or THERE.search(text):
        return AlreadyThere(reason, next_step(reason))
    return (Busy if BUSY.search(text) else DeployError)(reason, next_step(reason))


def next_step(text: str) -> str:
    found = (step for pattern, step in NEXT_STEPS if re.search(pattern, text, re.IGNORECASE))
    return next(found, "See what AWS says above, change deploy.toml, run the verb again.")
