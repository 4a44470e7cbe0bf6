"""From bytes to a Call and from a result to bytes, in whichever protocol of AWS the client speaks. Called by gate."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from tests.deploy.double.call import Call, Refusal

SIGNED_AS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "servicequotas": "service-quotas"}
"""Services whose name in a signature is not the one that boto3 has."""

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and a body of bytes or an iterable of them."""


@dataclass(frozen=True)
class Asked:
    """A request that was understood."""

    call: Call
    model: OperationModel
    protocol: str


def read(environ: dict[str, Any]) -> Asked | None:
    """What is asked for, or None for what no service model knows. The body can be read once more afterwards."""
    service, region = signed_for(environ)
    chunked = environ.get("wsgi.input_terminated")
    body = environ["wsgi.input"].read(*([] if chunked else [int(environ.get("CONTENT_LENGTH") or 0)]))
    environ["wsgi.input"] = io.BytesIO(body)
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    try:
        model = get_service_model(service)
        operation, in_path = get_service_router(service).match(request)
    except Exception:  # moto and botocore have a handful of errors for what they do not know
        return None
    protocol = determine_request_protocol(model, request.content_type)
    parameters = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    if service == "sagemaker-runtime" and operation.name != "InvokeEndpointAsync":
        parameters = {"Body": b"", **parameters}  # the parser takes an empty one for none
    return Asked(Call(service, str(operation.name), dict(parameters), region), operation, protocol)


def signed_for(environ: dict[str, Any]) -> tuple[str, str]:
    """Service and region, from `Credential=KEY/20260101/eu-central-1/sagemaker/aws4_request`; unsigned is S3's."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    region, service = scope[-3:-1] if len(scope) > 4 else ("us-east-1", "s3")
    if service == "sagemaker" and "HTTP_X_AMZ_TARGET" not in environ:
        service = "sagemaker-runtime"
    return SIGNED_AS.get(service, service), region


def told(asked: Asked, result: Any) -> Answer:
    """A handler's result, or a Refusal, as this client reads it."""
    serializer = get_serializer_class(asked.call.service, asked.protocol)(operation_model=asked.model)
    if not isinstance(result, Refusal):
        answer = serializer.serialize(result)
        return answer["status_code"], dict(answer["headers"]), answer["body"]
    for name, value in result.more.items():
        setattr(result, name, value)
    answer = serializer.serialize(result)
    return max(result.status, answer["status_code"]), dict(answer["headers"]), answer["body"]
