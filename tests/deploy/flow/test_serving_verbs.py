"""The command line for what runs: scale, logs, invoke."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.verbs import logs
from tests.deploy.configs import TABLE, feature
from tests.deploy.flow.conftest import Cloud, Deploy

pytestmark = pytest.mark.usefixtures("file")


class Echo(BaseHTTPRequestHandler):
    """A container that answers with what it was sent."""

    def do_GET(self) -> None:
        self.reply(b"")

    def do_POST(self) -> None:
        self.reply(b"got " + self.rfile.read(int(self.headers["Content-Length"])))

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def container(cloud: Cloud) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    cloud.double.routes["*"] = f"http://127.0.0.1:{server.server_port}"
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_scale_changes_instances_at_once_and_says_that_the_file_does_not_know(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    assert "deploy.toml stays as it is" in deploy("scale", "3").out
    assert cloud.endpoint()["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    assert "main.DesiredInstanceCount: 3 -> 1" in deploy("plan").out
    assert "Which variant?" in deploy("scale", "2", "--variant", "nope").err


@pytest.mark.parametrize("words", ["plan", "up", "scale 3", "rollback", "down --yes"])
def test_endpoint_of_somebody_else_is_changed_by_no_verb(deploy: Deploy, cloud: Cloud, words: str) -> None:
    deploy("up")
    cloud.aws.call("sagemaker", "DeleteTags", ResourceArn=cloud.endpoint()["EndpointArn"], TagKeys=["managed-by"])
    made = len(cloud.double.changes)
    done = deploy(*words.split())
    assert ("not our tags and stays" if words.startswith("down") else "was not made here") in done.err
    assert cloud.double.changes[made:] == []


def test_component_that_is_not_there_or_not_ours_is_told_by_name(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    made = len(cloud.double.changes)
    assert "churn has no component nope that was made here." in deploy("scale", "2", "--component", "nope").err
    assert cloud.double.changes[made:] == []


def test_scale_out_of_the_bounds_of_scaling_is_refused(deploy: Deploy) -> None:
    deploy("up", "--set", "scaling.max=4", "--set", "scaling.target=100")
    assert "scales by itself from 1 to 4" in deploy("scale", "9").err


def test_status_says_that_a_components_copy_keeps_an_instance(deploy: Deploy, cloud: Cloud) -> None:
    cloud.up(feature("components to zero"))
    assert "main: 1 to 2 x ml.g5.xlarge, 24 to 48 instance-hours a day, until `down`" in deploy("status").out
    deploy("scale", "0", "--component", "b")
    assert "main: 0 to 2 x ml.g5.xlarge, 0 to 48 instance-hours a day, nothing while idle" in deploy("status").out


def test_serverless_has_no_instances_to_scale(deploy: Deploy) -> None:
    deploy("up", "serverless")
    assert "main is serverless and has no instances." in deploy("scale", "3").err


def test_copies_that_aws_could_not_place_are_told(deploy: Deploy, cloud: Cloud) -> None:
    cloud.up(feature("components to zero"))
    cloud.double.fail_next("churn-b", "Insufficient capacity")
    done = deploy("scale", "3", "--component", "b")
    assert (done.code, "inference-component/churn-b is InService, with what it had before" in done.err) == (1, True)


def test_components_copies_are_scaled_within_its_bounds(deploy: Deploy, cloud: Cloud) -> None:
    cloud.up(feature("components to zero"))
    assert "inference-component/churn-a scales by itself from 0 to 2" in deploy("scale", "3", "--component", "a").err
    assert deploy("scale", "--weight", "1", "--component", "b").code == 64
    assert deploy("scale", "3", "--component", "b").code == 0
    told = cloud.aws.call("sagemaker", "DescribeInferenceComponent", InferenceComponentName="churn-b")
    assert told["RuntimeConfig"]["CurrentCopyCount"] == 3


@pytest.mark.parametrize("words", ["scale 3", "rollback", "invoke deploy.toml"])
def test_verb_that_needs_an_endpoint_says_where_there_is_none(deploy: Deploy, words: str) -> None:
    done = deploy(*words.split())
    assert (done.code, "There is no endpoint churn in eu-west-1." in done.err) == (1, True)


def test_logs_are_the_last_lines(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    none = deploy("logs")
    assert (none.code, "Nothing was logged yet" in none.err) == (1, True)
    cloud.aws.call("logs", "CreateLogGroup", logGroupName=GROUP)
    logged(cloud, "main/i-0", *range(5))
    assert deploy("logs", "--lines", "2").out == "line 3\nline 4\n"


GROUP = "/aws/sagemaker/Endpoints/churn"
NOW_MS = int(time.time() * 1000)


def logged(cloud: Cloud, stream: str, *numbers: int) -> None:
    """A line at each of these milliseconds."""
    events = [{"timestamp": NOW_MS + each, "message": f"line {each}"} for each in numbers]
    cloud.aws.call("logs", "CreateLogStream", logGroupName=GROUP, logStreamName=stream)
    cloud.aws.call("logs", "PutLogEvents", logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_logs_of_several_instances_and_variants_are_told_by_time_with_their_stream(
    deploy: Deploy, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.aws.call("logs", "CreateLogGroup", logGroupName=GROUP)
    logged(cloud, "main/i-0", 0, 1, 4)
    logged(cloud, "main/i-1", 2)
    logged(cloud, "other/i-2", 3)
    lines = ["main/i-0: line 1", "main/i-1: line 2", "other/i-2: line 3", "main/i-0: line 4"]
    assert deploy("logs", "--lines", "4").out.splitlines() == lines
    told = deploy("logs", "--lines", "1", "--output", "json").json()
    assert (told["lines"], told["streams"]) == (lines[-1:], ["main/i-0", "main/i-1", "other/i-2"])

    def sleep(_: float) -> None:
        if sleeps:
            raise KeyboardInterrupt
        sleeps.append(1)
        logged(cloud, "main/i-3", 5)

    sleeps: list[int] = []
    monkeypatch.setattr(time, "sleep", sleep)
    assert deploy("logs", "--lines", "1", "--follow").out.splitlines() == [*lines[-1:], "main/i-3: line 5"]


def test_logs_of_an_endpoint_with_many_former_instances_are_those_of_the_newest(deploy: Deploy, cloud: Cloud) -> None:
    cloud.aws.call("logs", "CreateLogGroup", logGroupName=GROUP)
    for each in range(logs.STREAMS + 1):
        logged(cloud, f"main/i-{each:02}", each)
    done = deploy("logs")
    assert done.err == f"the newest {logs.STREAMS} of {logs.STREAMS + 1} streams\n"
    assert (len(done.out.splitlines()), "line 0\n" in done.out) == (logs.STREAMS, False)


def test_invoke_sends_a_file_and_prints_the_answer(deploy: Deploy, container: None) -> None:
    deploy("up")
    Path("rows.csv").write_text("1,2\n")
    assert deploy("invoke", "rows.csv").out == "got 1,2\n"
    assert deploy("invoke", "rows.csv", "--output", "json").json() == {"content_type": "text/csv", "body": "got 1,2\n"}
    assert deploy("invoke", "rows.csv", "--stream").out == "got 1,2\n"


PARTS = 'components = [{name = "a", cpus = 1}, {name = "b", cpus = 1}]\n'
SIDE_BY_SIDE = 'containers = [{hostname = "one"}, {hostname = "two", artifact = "s3://bucket/b.tar.gz"}]\n'


@pytest.mark.parametrize(
    ("up", "words", "told"),
    [
        ("", "--variant nope", "Give --variant: main."),
        ("", "--model a.tar.gz", "Leave --model out: churn has no such parts."),
        ("", "--container one", "Leave --container out: churn has no such parts."),
        ("multi-model --artifact s3://bucket/models/", "", "Give --model: a.tar.gz."),
        ("multi-container", "", "Give --container: one, two."),
        ("multi-container", "--container three", "Give --container: one, two."),
        (PARTS, "", "Give --component: a, b."),
        (PARTS, "--component c", "Give --component: a, b."),
        ("async", "--variant main", "Leave it out."),
    ],
)
def test_invoke_says_which_flag_to_give_and_what_there_is(
    up: str, words: str, told: str, deploy: Deploy, cloud: Cloud, file: Path
) -> None:
    more = {"multi-container": SIDE_BY_SIDE, PARTS: PARTS}.get(up, "")
    file.write_text(more + file.read_text())
    assert deploy("up", *(up.split() if up != PARTS else [])).code == 0
    done = deploy("invoke", "deploy.toml", *words.split())
    assert (done.code, done.err.splitlines()[-1]) == (1, f"next: {told}")


def test_invoke_that_no_flag_helps_is_told_without_one(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    cloud.double.shelf.records[TABLE["region"], "Endpoint", "churn"]["EndpointStatus"] = "Failed"
    done = deploy("invoke", "deploy.toml", "--variant", "main")
    assert ("is not in service: Failed" in done.err, "--variant" in done.err) == (True, False)


def test_invoke_of_an_async_endpoint_goes_through_s3(deploy: Deploy, container: None) -> None:
    deploy("up", "async")
    Path("rows.csv").write_text("1,2\n")
    assert deploy("invoke", "rows.csv", "--poll", "0.01").out == "got 1,2\n"
