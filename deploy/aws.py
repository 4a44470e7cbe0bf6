"""The only file that makes clients of AWS: calls by AWS's own names, retries, errors with what to change.

boto3 is imported by the first call; where it is not installed, __main__ says so. Called by everything that looks at
AWS or changes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy import signals
from deploy.errors import DeployError
from deploy.forms import REGION
from deploy.refusals import NotFound, Unanswered, refusal

ATTEMPTS = 8
"""Of one call that is throttled or not answered; AWS_MAX_ATTEMPTS says another number."""
CONNECT_S, READ_S = 10, 60
INVOKE_S = 500
"""A prediction has 60 s, a stream 8 minutes; AWS ends both itself. It is never repeated."""
TOKENS = {"NextToken": "NextToken", "nextToken": "nextToken", "NextContinuationToken": "ContinuationToken"}
"""What a page says of the next one, and how that is asked for: most services, CloudWatch Logs, and S3."""
READS = ("Describe", "List", "Get", "Head", "Filter", "Search", "BatchGet", "Simulate")
"""How operations that change nothing begin."""


@contextmanager
def _refusals(service: str, operation: str) -> Iterator[None]:
    """What botocore raises, as DeployError."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise refusal(operation, error.response.get("Error", {})) from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
        raise DeployError("There are no AWS credentials.", "Run `aws configure`, or set AWS_PROFILE.") from None
    except exceptions.ProfileNotFound as error:
        raise DeployError(f"{error}.", "Set AWS_PROFILE to one of `aws configure list-profiles`.") from None
    except (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError) as error:
        raise DeployError(f"The login is no longer good: {error}", "Log in again: `aws sso login`.") from None
    except (exceptions.ParamValidationError, exceptions.ValidationError) as error:  # of this machine, not AWS's
        text = str(error).replace("\n", " ")
        raise DeployError(f"{operation} was not sent: {text}", "Change that in deploy.toml or the flags.") from None
    except exceptions.EndpointConnectionError as error:
        step = "Look at the network, and whether AWS has this region; then run the verb again: it goes on where it was."
        raise Unanswered(f"{operation} got no answer from {service}: {error}", step) from None
    except (exceptions.BotoCoreError, exceptions.HTTPClientError) as error:
        text = f"{operation} got no answer from {service}: {error}"
        raise Unanswered(text, "Look at the network, then run the verb again: it goes on where it was.") from None


class Aws:
    """AWS in one region, for as long as one verb runs."""

    def __init__(self, region: str | None = None, *, reads_only: bool = False) -> None:
        # boto3 reads AWS_DEFAULT_REGION alone: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
        self._region = region or os.environ.get("AWS_REGION") or None
        self._reads_only = reads_only
        self._clients: dict[str, Any] = {}
        self._session: Any = None

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """What AWS answers. Raises DeployError, or one of its children that refusals names."""
        if self._reads_only and not operation.startswith(READS):
            raise AssertionError(f"{operation} would change something, which this verb must not")
        client = self._client(service)
        import botocore

        signals.check()
        with _refusals(service, operation):
            answer: dict[str, Any] = getattr(client, botocore.xform_name(operation))(**parameters)
        return answer

    def upload(self, bucket: str, files: Sequence[tuple[Path, str]], progress: Callable[[int], object]) -> None:
        """Puts files under keys, large ones in parts, several at once; an upload that breaks off leaves no parts."""
        if self._reads_only:
            raise AssertionError("an upload changes something, which this verb must not")
        client = self._client("s3")
        from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager

        with _refusals("s3", "PutObject"), create_transfer_manager(client, TransferConfig()) as manager:
            told = [ProgressCallbackInvoker(progress)]
            begun = [manager.upload(str(path), bucket, key, subscribers=told) for path, key in files]
            for each in begun:
                each.result()

    def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """What AWS answers, or None where there is no such thing."""
        try:
            return self.call(service, operation, **parameters)
        except NotFound:
            return None

    def every(self, service: str, operation: str, items: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All items of a list that comes in pages."""
        token: dict[str, str] = {}
        while True:
            page = self.call(service, operation, **parameters, **token)
            yield from page.get(items, ())
            token = {asked: page[told] for told, asked in TOKENS.items() if page.get(told)}
            if not token:
                return

    def tags(self, arn: str) -> dict[str, str]:
        """Of something in SageMaker."""
        return {each["Key"]: each["Value"] for each in self.every("sagemaker", "ListTags", "Tags", ResourceArn=arn)}

    @property
    def region(self) -> str:
        """Raises DeployError where nothing says one, or says what is none."""
        found = self._region or self._profile_region()
        if not found:
            raise DeployError("There is no AWS region.", "Write region in deploy.toml, or set AWS_REGION.")
        for wrong in REGION.misfits(found, "The region"):
            raise DeployError(f"{wrong}.", "Change region in deploy.toml, --region, AWS_REGION or the AWS profile.")
        return found

    def _profile_region(self) -> str | None:
        session = self._boto3_session()
        with _refusals("this machine", "Reading the AWS configuration"):
            found: str | None = session.region_name
        return found

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config

            attempts = _attempts()
            predicts = service == "sagemaker-runtime"
            retries = {"mode": "standard", "total_max_attempts": 1 if predicts else attempts}  # back-off included
            read_s = INVOKE_S if predicts else READ_S
            settings = Config(retries=retries, connect_timeout=CONNECT_S, read_timeout=read_s)
            region = self.region
            with _refusals(service, "Making a client"):
                self._clients[service] = self._boto3_session().client(service, region_name=region, config=settings)
        return self._clients[service]

    def _boto3_session(self) -> Any:
        if self._session is None:
            import boto3

            with _refusals("this machine", "Reading the AWS configuration"):
                self._session = boto3.Session(region_name=self._region)
        return self._session


def _attempts() -> int:
    said = os.environ.get("AWS_MAX_ATTEMPTS", str(ATTEMPTS))
    if not said.isdecimal() or said == "0":
        raise DeployError(f"AWS_MAX_ATTEMPTS is {said!r}.", "Set it to a whole number from 1, or unset it.")
    return int(said)
