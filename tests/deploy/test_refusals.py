"""What people are told to do next for the refusals that they meet most often, in AWS's own words."""

from __future__ import annotations

import pytest

from deploy.errors import DeployError
from deploy.failure import cause
from deploy.refusals import AlreadyThere, Busy, NotFound, refusal

ROLE = "arn:aws:iam::123456789012:role/run"
USER = "User: arn:aws:sts::123456789012:assumed-role/Dev/me"
REPOSITORY = "arn:aws:ecr:eu-west-1:123456789012:repository/churn"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1"

SAID: list[tuple[str, str, str]] = [
    (
        "ResourceLimitExceeded",
        "The account-level service limit 'ml.g5.xlarge for endpoint usage' is 0 Instances, with current utilization of "
        "0 Instances and a request delta of 1 Instances.",
        "`TYPE for endpoint usage`",
    ),
    (
        "ResourceLimitExceeded",
        "The account-level service limit 'Maximum total concurrency that can be allocated to all serverless endpoints' "
        "is 10, with current utilization of 0 and a request delta of 20.",
        "serverless.memory_mb or max_concurrency",
    ),
    (
        "AccessDeniedException",
        f"{USER} is not authorized to perform: iam:PassRole on resource: {ROLE}",
        "iam:PassedToService",
    ),
    (
        "AccessDeniedException",
        f"{USER} is not authorized to perform: sagemaker:CreateModel on resource: arn:aws:sagemaker:...:model/churn",
        "The identity that deploys lacks this permission",
    ),
    (
        "AccessDeniedException",
        f"{USER} is not authorized to perform: sagemaker:CreateModel with an explicit deny in a service control policy",
        "who keeps the account",
    ),
    (
        "AccessDeniedException",
        f"{USER} is not authorized to perform: ecr:CreateRepository on resource: {REPOSITORY}",
        "a name that contains `sagemaker`",
    ),
    ("NoSuchEntity", "The role with name run cannot be found.", "Make the role, or name another"),
    (
        "ValidationException",
        f"Could not assume role {ROLE}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role.",
        "trust policy has to name sagemaker.amazonaws.com",
    ),
    (
        "ValidationException",
        f'Could not access model data at s3://b/model.tar.gz. Please ensure that the role "{ROLE}" exists and that its '
        'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
        '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the object is '
        "located in eu-west-1.",
        "looks at all three",
    ),
    ("ValidationException", "Could not find model data at s3://b/model.tar.gz.", "a bucket of this region"),
    (
        "ValidationException",
        f"The role '{ROLE}' does not have BatchGetImage permission for the image: '{IMAGE}'.",
        "ecr:BatchGetImage",
    ),
    ("ValidationException", f"Requested image {IMAGE} not found.", "Push the image to this account and region"),
    (
        "ValidationException",
        "Unsupported manifest media type application/vnd.oci.image.index.v1+json for image "
        f"{IMAGE}. Ensure that valid manifest media type is used for specified image.",
        "Docker's manifest, version 2, schema 2",
    ),
    (
        "ValidationException",
        f"Image size 10990000000 is greater than supported size 10737418240 for image {IMAGE}",
        "Serverless takes images of up to 10 GB",
    ),
    (
        "ValidationException",
        'Cannot create already existing endpoint configuration "arn:aws:sagemaker:...:endpoint-config/churn".',
        "has this name",
    ),
    (
        "ValidationException",
        'Cannot update in-progress endpoint "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/churn".',
        "`up` waits for its end",
    ),
    ("PermanentRedirect", "The bucket you are attempting to access must be addressed using ...", "in one region"),
    ("ValidationException", "Instance type ml.p5.48xlarge is not supported in region eu-west-3.", "not offered in"),
    ("ExpiredTokenException", "The security token included in the request is expired", "aws sso login"),
    ("InvalidClientTokenId", "The security token included in the request is invalid.", "aws sso login"),
    (
        "SignatureDoesNotMatch",
        "Signature expired: 20260101T000000Z is now earlier than 20260101T004500Z (20260101T010000Z - 15 min.)",
        "clock",
    ),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "clock"),
    ("ThrottlingException", "Rate exceeded", "run the verb again"),
    (
        "AccessDeniedException",
        "The ciphertext refers to a key that is not authorized: kms:Decrypt",
        "The identity that deploys lacks this permission",
    ),
]


@pytest.mark.parametrize(("code", "text", "step"), SAID, ids=[f"{code}-{step}" for code, _, step in SAID])
def test_every_refusal_has_the_next_step_that_helps(code: str, text: str, step: str) -> None:
    assert step in refusal("CreateModel", {"Code": code, "Message": text}).next_step


def test_a_secret_is_no_registry() -> None:
    """`ecr` is a part of many words."""
    assert "Push the image" not in refusal("GetSecretValue", {"Code": "X", "Message": "the secret"}).next_step


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("ValidationException", 'Could not find endpoint "arn:..."', NotFound),
        ("RepositoryNotFoundException", "The repository with name 'churn' does not exist", NotFound),
        ("ImageNotFoundException", "The image with imageId ... does not exist", NotFound),
        ("NoSuchBucket", "The specified bucket does not exist", NotFound),
        ("ValidationException", "Cannot create already existing model", AlreadyThere),
        ("ResourceInUse", "Job with the same name", AlreadyThere),
        ("ValidationException", "Cannot delete in-progress endpoint", Busy),
        ("AccessDeniedException", "role not found in the policy", DeployError),
    ],
)
def test_what_code_acts_on_is_told_apart(code: str, text: str, kind: type[DeployError]) -> None:
    assert type(refusal("CreateModel", {"Code": code, "Message": text})) is kind


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        (
            "Ensure that all images included in the model for the production variant main exist and that the execution "
            "role used to create the model has permissions to access them.",
            "may not pull it",
        ),
        ('exec: "serve": permission denied', "docker run --rm IMAGE serve"),
        ("exec /opt/venv/bin/python: exec format error", "another CPU"),
        ("The primary container did not pass the ping health check.", "startup_timeout_s"),
    ],
)
def test_a_failure_has_its_cause(reason: str, step: str) -> None:
    assert step in cause(reason)
