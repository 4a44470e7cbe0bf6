"""python -m deploy invoke FILE: sends it to the endpoint, through S3 where that is async, prints the answer."""

from __future__ import annotations

import argparse
import base64
import mimetypes
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy import addressee, flags, names, owned, s3
from deploy.aws import Aws
from deploy.call import given
from deploy.errors import DeployError
from deploy.refusals import NotFound
from deploy.terminal import Terminal
from deploy.wait import Pace

TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".npy": "application/x-npy",
}
UNKNOWN = "application/octet-stream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE", help="what to send; - for standard input")
    parser.add_argument("--content-type", help="by the file's ending if not given")
    parser.add_argument("--accept")
    parser.add_argument("--variant", help="this one, whatever the weights say")
    parser.add_argument("--model", help="of a multi-model endpoint: path below the prefix")
    parser.add_argument("--container", help="of a multi-container endpoint: its hostname")
    parser.add_argument("--component", help="an inference component, as deploy.toml names it")
    parser.add_argument("--attributes", help="custom attributes, given to the handler")
    parser.add_argument("--stream", action="store_true", help="print parts as they come")
    flags.add(parser)
    flags.add_waiting(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    name, region = flags.name_and_region(args)
    aws, body = Aws(region), _read(args.path)
    told = given(
        EndpointName=name,
        ContentType=args.content_type or _type(args.path),
        Accept=args.accept,
        CustomAttributes=args.attributes,
    )
    target = _target(args, name)
    if output := _async_output(aws, name):
        if target:
            unused = ", ".join(addressee.FLAGS[each] for each in target)
            raise DeployError(f"{name} is async, which takes no {unused}.", "Leave it out.")
        answer = _through_s3(aws, told, body, output, Pace(args.poll, args.timeout), terminal)
    else:
        with _told_by_flags(aws, name, target):
            answer = _at_once(aws, told | target, body, stream=args.stream and not terminal.as_json)
    _print(answer, terminal)
    return 0


@contextmanager
def _told_by_flags(aws: Aws, name: str, target: Mapping[str, str]) -> Iterator[None]:
    """A request that AWS refuses for what it names, or does not, is told with the flag to change."""
    try:
        yield
    except DeployError as error:
        if not error.reason.endswith("(ValidationError)"):
            raise
        raise DeployError(error.reason, addressee.next_step(aws, name, target) or error.next_step) from None


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise DeployError(
            f"{path} cannot be read: {error.strerror}.", "Name a file, or - for standard input."
        ) from None


def _type(path: str) -> str:
    suffix = Path(path).suffix.lower()
    return TYPES.get(suffix) or mimetypes.guess_type(path)[0] or UNKNOWN


def _target(args: argparse.Namespace, name: str) -> dict[str, str]:
    return given(
        TargetVariant=args.variant,
        TargetModel=args.model,
        TargetContainerHostname=args.container,
        InferenceComponentName=names.component(name, args.component) if args.component else None,
    )


def _async_output(aws: Aws, name: str) -> str:
    """Where an async endpoint writes; empty for one that answers at once."""
    there = owned.endpoint(aws, name)
    if there is None:
        raise owned.missing(aws, name)
    configuration = aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=there["EndpointConfigName"])
    output: str = configuration.get("AsyncInferenceConfig", {}).get("OutputConfig", {}).get("S3OutputPath", "")
    return output


def _at_once(aws: Aws, told: dict[str, Any], body: bytes, *, stream: bool) -> dict[str, Any]:
    if not stream:
        answer = aws.call("sagemaker-runtime", "InvokeEndpoint", Body=body, **told)
        return {"content_type": answer.get("ContentType", ""), "body": answer["Body"].read()}
    parts = aws.call("sagemaker-runtime", "InvokeEndpointWithResponseStream", Body=body, **told)
    for event in parts["Body"]:
        if "PayloadPart" not in event:
            raise DeployError(f"The stream broke: {event}", "Look at `python -m deploy logs`.")
        sys.stdout.buffer.write(event["PayloadPart"]["Bytes"])
        sys.stdout.buffer.flush()
    return {"content_type": parts.get("ContentType", ""), "body": b""}


def _through_s3(
    aws: Aws, told: dict[str, Any], body: bytes, output: str, pace: Pace, terminal: Terminal
) -> dict[str, Any]:
    """The input beside the answers; waits until one of answer and failure is there."""
    bucket, prefix = s3.split(output)
    key = f"{prefix.rstrip('/')}/input/{uuid.uuid4().hex}".lstrip("/")
    aws.call("s3", "PutObject", Bucket=bucket, Key=key, Body=body, ContentType=told["ContentType"])
    answer = aws.call("sagemaker-runtime", "InvokeEndpointAsync", InputLocation=f"s3://{bucket}/{key}", **told)
    while True:
        for location, good in ((answer["OutputLocation"], True), (answer.get("FailureLocation"), False)):
            if location and (found := _object(aws, location)) is not None:
                if not good:
                    raise DeployError(f"The model failed: {found.decode(errors='replace')}", "See `logs`.")
                return {"content_type": "", "body": found, "location": location}
        terminal.progress("answer", "waiting", pace.elapsed_s, "")
        pace.next("the answer", "waited for")


def _object(aws: Aws, location: str) -> bytes | None:
    bucket, key = s3.split(location)
    try:
        body: bytes = aws.call("s3", "GetObject", Bucket=bucket, Key=key)["Body"].read()
    except NotFound:
        return None
    return body


def _print(answer: dict[str, Any], terminal: Terminal) -> None:
    body = answer.pop("body")
    if not terminal.as_json:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        answer["body"] = body.decode()
    except UnicodeDecodeError:
        answer["body_base64"] = base64.b64encode(body).decode()
    terminal.result(answer, "")
