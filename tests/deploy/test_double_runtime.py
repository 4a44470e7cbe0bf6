"""Requests to an endpoint of the double reach a real server, in each of the ways that SageMaker has."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import botocore.exceptions
import pytest

from tests.deploy.double import Double
from tests.deploy.environment import REGION
from tests.system.client import wait_until

ROLE = "arn:aws:iam::123456789012:role/execution"
PARTS, BETWEEN_S = 3, 0.05
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

SEVERAL = {
    "Containers": [{"Image": "i", "ContainerHostname": "first"}, {"Image": "i", "ContainerHostname": "second"}],
    "InferenceExecutionConfig": {"Mode": "Direct"},
}


class Container(BaseHTTPRequestHandler):
    """Says its port and what it was sent; `fail` in the body is a 400, `stream` an answer in parts."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"fail":
            self.answer(400, b"no such row")
        elif body == b"stream":
            self.stream()
        else:
            self.answer(200, b"%d:%s(%s)" % (self.server.server_port, body, self.headers.get("Accept", "").encode()))  # type: ignore[attr-defined]

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header(ATTRIBUTES, self.headers.get(ATTRIBUTES, ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(PARTS):
            self.wfile.write(b"%d" % number)
            time.sleep(BETWEEN_S)
        self.close_connection = True


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Container) for _ in range(2)]
    for server in servers:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield [server.server_port for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def runtime(double: Double, client: Callable[[str], Any], ports: list[int]) -> Any:
    """The runtime API, with an endpoint e that the first container serves; it is async too."""
    double.routes["e"] = f"http://127.0.0.1:{ports[0]}"
    double.delays.creating_s = 0
    sagemaker = client("sagemaker")
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "main", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    topics = {f"{each}Topic": client("sns").create_topic(Name=each)["TopicArn"] for each in ("Success", "Error")}
    output = {"S3OutputPath": "s3://bucket/out/", "NotificationConfig": topics}
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[variant], AsyncInferenceConfig={"OutputConfig": output}
    )
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    return client("sagemaker-runtime")


def invoke(runtime: Any, body: bytes, **more: str) -> Any:
    return runtime.invoke_endpoint(EndpointName="e", Body=body, ContentType="text/csv", Accept="text/plain", **more)


def test_request_reaches_the_container_and_its_answer_the_client(runtime: Any, ports: list[int]) -> None:
    told = invoke(runtime, b"\xff1,2", CustomAttributes="trace=7")
    assert told["Body"].read() == b"%d:\xff1,2(text/plain)" % ports[0]
    assert (told["ContentType"], told["InvokedProductionVariant"]) == ("text/plain", "main")
    assert told["CustomAttributes"] == "trace=7"


def test_error_of_the_container_is_a_model_error(runtime: Any) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        invoke(runtime, b"fail")
    told = caught.value.response
    assert (told["Error"]["Code"], told["OriginalStatusCode"], told["OriginalMessage"]) == (
        "ModelError",
        400,
        "no such row",
    )


def test_unknown_endpoint_and_one_that_is_not_in_service(double: Double, runtime: Any) -> None:
    double.shelf.records[REGION, "Endpoint", "e"]["EndpointStatus"] = "Failed"
    for name in ("e", "other"):
        with pytest.raises(botocore.exceptions.ClientError, match=r"not in service|not found"):
            runtime.invoke_endpoint(EndpointName=name, Body=b"")


def test_containers_are_called_by_hostname_or_one_after_the_other(
    double: Double, runtime: Any, ports: list[int]
) -> None:
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    double.routes = {"e/second": urls[1], "e": [*urls]}
    chained = b"%d:%d:x()(text/plain)" % (ports[1], ports[0])
    assert invoke(runtime, b"x")["Body"].read() == chained
    double.shelf.records[REGION, "Model", "m"] |= SEVERAL
    assert invoke(runtime, b"x", TargetContainerHostname="second")["Body"].read() == b"%d:x(text/plain)" % ports[1]


@pytest.mark.parametrize(
    ("model", "given", "told"),
    [
        ({}, {"TargetVariant": "other"}, "Variant other of endpoint e not found"),
        ({}, {"TargetModel": "a"}, "not a multi-model endpoint"),
        ({}, {"TargetContainerHostname": "a"}, "'a' is no container of endpoint e"),
        ({"PrimaryContainer": {"Image": "i", "Mode": "MultiModel"}}, {}, "is missing a target model header"),
        (SEVERAL, {}, "'' is no container of endpoint e"),
        (SEVERAL, {"TargetContainerHostname": "third"}, "'third' is no container of endpoint e"),
    ],
)
def test_request_that_does_not_name_what_it_has_to_is_refused(
    model: dict[str, Any], given: dict[str, str], told: str, double: Double, runtime: Any
) -> None:
    double.shelf.records[REGION, "Model", "m"] |= model
    with pytest.raises(botocore.exceptions.ClientError, match=re.escape(told)) as caught:
        invoke(runtime, b"x", **given)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_component_is_asked_by_its_name(double: Double, runtime: Any, sagemaker: Any, ports: list[int]) -> None:
    (variant,) = double.shelf.records[REGION, "EndpointConfig", "c"]["ProductionVariants"]
    del variant["ModelName"]
    specification = {"ModelName": "m", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}}
    for name, copies in (("part", 1), ("gone", 0)):
        sagemaker.create_inference_component(
            InferenceComponentName=name,
            EndpointName="e",
            VariantName="main",
            Specification=specification,
            RuntimeConfig={"CopyCount": copies},
        )
    assert invoke(runtime, b"x", InferenceComponentName="part")["Body"].read() == b"%d:x(text/plain)" % ports[0]
    for given, told in (
        ({}, "Inference Component Name header is required"),
        ({"InferenceComponentName": "other"}, "Inference component other of endpoint e not found"),
        ({"InferenceComponentName": "gone"}, "has no capacity"),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match=told):
            invoke(runtime, b"x", **given)


def test_stream_comes_in_parts_as_the_container_sends_them(runtime: Any) -> None:
    told = runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"stream")
    came = [(time.monotonic(), event["PayloadPart"]["Bytes"]) for event in told["Body"]]
    assert [part for _, part in came] == [b"0", b"1", b"2"]
    assert came[-1][0] - came[0][0] > BETWEEN_S


@pytest.mark.parametrize(("body", "status"), [(b"x", "Completed"), (b"fail", "Failed")])
def test_async_answer_lies_in_s3_and_sns_tells(
    body: bytes, status: str, runtime: Any, client: Callable[[str], Any]
) -> None:
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    for topic in client("sns").list_topics()["Topics"]:
        arn = f"arn:aws:sqs:{REGION}:123456789012:q"
        client("sns").subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=arn)
    client("s3").put_object(Bucket="bucket", Key="in", Body=body)
    told = runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://bucket/in", Accept="a/b")
    location = told["OutputLocation" if status == "Completed" else "FailureLocation"]
    content = client("s3").get_object(Bucket="bucket", Key=location.removeprefix("s3://bucket/"))["Body"].read()
    assert (b":x(a/b)" if status == "Completed" else b"no such row") in content
    (note,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(json.loads(note["Body"])["Message"])["invocationStatus"] == status


def test_batch_transform_asks_the_container_for_each_object(
    double: Double, runtime: Any, client: Callable[[str], Any]
) -> None:
    double.routes["m"] = double.routes["e"]
    for key in ("in/a.csv", "in/deep/b.csv"):
        client("s3").put_object(Bucket="bucket", Key=key, Body=b"x")
    sagemaker = client("sagemaker")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/"}}
    sagemaker.create_transform_job(
        TransformJobName="t",
        ModelName="m",
        TransformInput={"DataSource": source, "ContentType": "text/csv"},
        TransformOutput={"S3OutputPath": "s3://bucket/answers", "Accept": "a/b"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    describe = sagemaker.describe_transform_job
    wait_until(lambda: describe(TransformJobName="t")["TransformJobStatus"] == "Completed", 5, "the job has ended")
    listed = client("s3").list_objects_v2(Bucket="bucket", Prefix="answers/")["Contents"]
    assert [each["Key"] for each in listed] == ["answers/a.csv.out", "answers/deep/b.csv.out"]
