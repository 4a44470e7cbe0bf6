"""The runtime API: requests go to the real container behind an endpoint, at once, in parts, or by way of S3."""

from __future__ import annotations

import json
import struct
import uuid
from binascii import crc32
from collections.abc import Iterator
from typing import Any

from moto.sns.models import sns_backends

from tests.deploy.double.call import ACCOUNT, Call, Refusal
from tests.deploy.double.endpoints import current
from tests.deploy.double.hosting import invalid, way
from tests.deploy.double.objects import join, read, write
from tests.deploy.double.request import Answer
from tests.deploy.double.shelf import CONFIG, Handler, Record
from tests.deploy.double.state import Double
from tests.deploy.double.wire import Reply, through

TO_CONTAINER = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "TargetModel": "X-Amzn-SageMaker-Target-Model",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
}


def in_service(double: Double, call: Call) -> Record:
    name = call.parameters["EndpointName"]
    try:
        endpoint = current(double, call, name)
    except Refusal:
        raise invalid(f"Endpoint {name} of account {ACCOUNT} not found.") from None
    if endpoint["EndpointStatus"] not in ("InService", "Updating", "RollingBack", "SystemUpdating"):
        raise invalid(f"Endpoint {name} of account {ACCOUNT} is not in service: {endpoint['EndpointStatus']}.")
    return endpoint


def ask(double: Double, call: Call, endpoint: Record, body: bytes) -> Reply:
    """The container's answer. Raises ModelError for its 4xx and 5xx."""
    headers = {header: call.parameters[name] for name, header in TO_CONTAINER.items() if name in call.parameters}
    found = way(double, call, endpoint)
    reply = through(found.urls, body, headers, found.path)
    if reply.status >= 400:
        raise model_error(reply)
    return reply


def model_error(reply: Reply) -> Refusal:
    side, text = "client" if reply.status < 500 else "server", reply.body.decode("latin1")
    message = f'Received {side} error ({reply.status}) from primary with message "{text}". See the logs in CloudWatch.'
    return Refusal(message, "ModelError", 424, OriginalStatusCode=reply.status, OriginalMessage=text)


def variant_of(endpoint: Record, call: Call) -> str:
    return str(call.parameters.get("TargetVariant") or endpoint["ProductionVariants"][0]["VariantName"])


def back(endpoint: Record, call: Call, reply: Reply) -> dict[str, str]:
    """The headers that reach the client."""
    kept = {name: value for name, value in reply.headers.items() if name.lower().startswith("x-amzn-sagemaker")}
    return {"x-Amzn-Invoked-Production-Variant": variant_of(endpoint, call), **kept}


def invoke(double: Double, call: Call) -> Answer:
    endpoint = in_service(double, call)
    reply = ask(double, call, endpoint, call.parameters.get("Body") or b"")
    content_type = {"Content-Type": reply.headers.get("Content-Type", "")}
    return 200, {**back(endpoint, call, reply), **content_type}, reply.body


def invoke_in_parts(double: Double, call: Call) -> Answer:
    endpoint = in_service(double, call)
    reply = ask(double, call, endpoint, call.parameters.get("Body") or b"")
    headers = {
        **back(endpoint, call, reply),
        "Content-Type": "application/vnd.amazon.eventstream",
        "X-Amzn-SageMaker-Content-Type": reply.headers.get("Content-Type", ""),
    }
    return 200, headers, events(reply)


def events(reply: Reply) -> Iterator[bytes]:
    """Each part as one event when it comes: https://smithy.io/2.0/aws/amazon-eventstream.html"""
    names = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in names.items()
    )
    for part in reply.parts():
        prelude = struct.pack(">II", 16 + len(head) + len(part), len(head))
        message = prelude + struct.pack(">I", crc32(prelude)) + head + part
        yield message + struct.pack(">I", crc32(message))


def invoke_by_s3(double: Double, call: Call) -> Answer:
    """Answered already when it returns: the answer lies in S3, or the failure does, and SNS was told."""
    endpoint, given = in_service(double, call), call.parameters
    config = double.shelf.get(call, CONFIG, endpoint["EndpointConfigName"]).get("AsyncInferenceConfig")
    if not config:
        raise invalid(f"Endpoint {given['EndpointName']} is not an asynchronous inference endpoint.")
    output, inference = config["OutputConfig"], given.get("InferenceId") or str(uuid.uuid4())
    good = join(output["S3OutputPath"], f"{inference}.out")
    bad = join(output.get("S3FailurePath", join(output["S3OutputPath"], "failed")), f"{inference}-error.out")
    try:
        write(good, ask(double, call, endpoint, read(given["InputLocation"])).body)
        failed = ""
    except Refusal as refusal:
        write(bad, refusal.message.encode())
        failed = refusal.message
    notify(call, output.get("NotificationConfig", {}), inference, good, failed)
    headers = {"X-Amzn-SageMaker-OutputLocation": good, "X-Amzn-SageMaker-FailureLocation": bad}
    return 202, {**headers, "Content-Type": "application/json"}, json.dumps({"InferenceId": inference}).encode()


def notify(call: Call, topics: Record, inference: str, output: str, failed: str) -> None:
    topic = topics.get("ErrorTopic" if failed else "SuccessTopic")
    if not topic:
        return
    given = call.parameters
    asked = {"endpointName": given["EndpointName"], "inputLocation": given["InputLocation"]}
    note: dict[str, Any] = {"eventName": "InferenceResult", "inferenceId": inference, "requestParameters": asked}
    note["invocationStatus"] = "Failed" if failed else "Completed"
    note |= {"failureReason": failed} if failed else {"responseParameters": {"outputLocation": output}}
    sns_backends[ACCOUNT][call.region].publish(json.dumps(note), arn=topic)


RUNTIME: dict[str, Handler] = {
    "InvokeEndpoint": invoke,
    "InvokeEndpointWithResponseStream": invoke_in_parts,
    "InvokeEndpointAsync": invoke_by_s3,
}
