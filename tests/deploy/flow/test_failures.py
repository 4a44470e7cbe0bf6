"""What ends otherwise than it should: told with reason, log, cause and next step; what serves is never removed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.record import Journal
from deploy.terminal import Terminal
from deploy.wait import Pace, until_switched
from tests.deploy.configs import NEWER, ROLE, TABLE, config
from tests.deploy.double import THROTTLED, Double, Fault
from tests.deploy.flow.conftest import Cloud

PING = "The primary container for production variant main did not pass the ping health check."


def failure(cloud: Cloud, **over: object) -> DeployError:
    with pytest.raises(DeployError) as caught:
        cloud.up(config(**over))  # type: ignore[arg-type]
    return caught.value


def log(cloud: Cloud, *lines: str) -> None:
    group, stream = "/aws/sagemaker/Endpoints/churn", "main/i-0"
    cloud.aws.call("logs", "CreateLogGroup", logGroupName=group)
    cloud.aws.call("logs", "CreateLogStream", logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + i, "message": line} for i, line in enumerate(lines)]
    cloud.aws.call("logs", "PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)


def test_update_that_goes_back_to_in_service_is_a_failure(cloud: Cloud) -> None:
    """The stock waiter calls it success."""
    cloud.up(config())
    old = cloud.endpoint()["EndpointConfigName"]
    log(cloud, '{"event": "startup_failed", "reason": "ModuleNotFoundError: nope"}')
    cloud.double.fail_next("churn", PING)
    error = failure(cloud, image=NEWER)
    assert error.reason.startswith(f"endpoint/churn is InService, back on {old} instead of churn-")
    assert PING in error.reason
    assert error.lines == ('{"event": "startup_failed", "reason": "ModuleNotFoundError: nope"}',)
    assert "serve_local.sh" in error.next_step
    assert "goes on with the version that it had" in error.next_step
    assert f"EndpointConfig/{old}" in cloud.double.shelf.left(), "what serves stays"


def test_what_failed_is_removed_by_the_next_switch_that_is_seen_to_be_done(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.double.fail_next("churn", PING)
    failure(cloud, image=NEWER)
    cloud.up(config(environment={"A": 3}))
    models = [each for each in cloud.double.shelf.left() if each.startswith("Model/")]
    assert len(models) == 2, "the one that serves, and the one before"
    assert cloud.changes_of(config(environment={"A": 3})) == []


@pytest.mark.parametrize("end", ["UpdateRollbackFailed", "OutOfService"])
def test_every_other_end_of_an_update_is_told_and_the_next_up_may_mend_it(cloud: Cloud, end: str) -> None:
    cloud.up(config())
    cloud.double.fail_next("churn", PING, end)
    assert failure(cloud, image=NEWER).reason.startswith(f"endpoint/churn is {end}: ")
    cloud.up(config(environment={"A": 3}))
    assert cloud.endpoint()["EndpointStatus"] == "InService"


def test_endpoint_that_is_broken_with_what_is_wanted_is_told(cloud: Cloud) -> None:
    """AWS updates to no configuration that is there already."""
    cloud.up(config())
    (endpoint,) = (each for each in cloud.double.shelf.records.values() if "EndpointArn" in each)
    endpoint["EndpointStatus"] = "OutOfService"
    error = failure(cloud)
    assert error.reason == "The endpoint churn is OutOfService with the wanted configuration."
    assert "`up --set environment.AGAIN=1`" in error.next_step
    cloud.up(config(environment={"AGAIN": "1"}))
    assert cloud.endpoint()["EndpointStatus"] == "InService"


def test_creation_that_fails_is_told_and_made_anew_by_the_next_up(cloud: Cloud) -> None:
    cloud.double.fail_next("churn", "CannotStartContainerError. Please make sure `docker run IMAGE serve` works.")
    error = failure(cloud)
    assert error.reason.startswith("endpoint/churn is Failed: CannotStartContainerError")
    assert "docker run --rm IMAGE serve" in error.next_step
    order = [each.partition(":")[2] for each in cloud.changes_of(config())]
    assert order == ["DeleteEndpoint", "CreateEndpoint"]
    assert cloud.endpoint()["EndpointStatus"] == "InService"


def test_alarm_that_turned_an_update_back_is_the_cause(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.double.fail_next("churn", "Alarm churn-5xx went into ALARM state.")
    assert "An alarm of [update] went off" in failure(cloud, image=NEWER).next_step


def test_quota_is_told_with_what_to_ask_for(cloud: Cloud) -> None:
    text = "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances"
    cloud.double.faults.on("CreateEndpoint", Fault("ResourceLimitExceeded", text))
    error = failure(cloud)
    assert text in error.reason
    assert "Service Quotas" in error.next_step


def test_artifact_that_is_not_there_is_told_before_anything_is_made(cloud: Cloud) -> None:
    error = failure(cloud, artifact="s3://bucket/nope.tar.gz")
    assert error.reason == "There is no artifact s3://bucket/nope.tar.gz."
    assert cloud.double.changes == []


def test_role_that_may_not_be_passed_is_told_with_the_permission(cloud: Cloud) -> None:
    text = f"User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:PassRole on resource: {ROLE}"
    cloud.double.faults.on("CreateModel", Fault("AccessDeniedException", text))
    assert "iam:PassedToService" in failure(cloud).next_step


def test_throttling_is_retried_with_back_off(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, double: Double) -> None:
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    double.faults.on("DescribeEndpoint", THROTTLED, times=2)
    assert Aws(TABLE["region"]).find("sagemaker", "DescribeEndpoint", EndpointName="churn") is None
    assert [call.operation for call in double.calls].count("DescribeEndpoint") == 3
    assert [0 < each < most for each, most in zip(filter(None, waits), (1, 2), strict=True)] == [True, True]


def test_wait_that_takes_too_long_says_that_it_goes_on(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.double.delays.updating_s = 60
    wanted = [{"VariantName": "main", "DesiredWeight": 1.0}]
    cloud.aws.call(
        "sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName="churn", DesiredWeightsAndCapacities=wanted
    )
    with pytest.raises(DeployError, match="endpoint/churn is still Updating after 0:00") as caught:
        until_switched(cloud.aws, "churn", "x", Pace(0.001, 0.01), Terminal())
    assert "It goes on at AWS" in caught.value.next_step


def test_up_waits_for_what_is_already_going_on(cloud: Cloud) -> None:
    """A killed `up`, or somebody else's."""
    cloud.double.delays.creating_s = 0.05
    cloud.up(config(), wait=False)
    assert cloud.endpoint()["EndpointStatus"] == "Creating"
    cloud.up(config(image=NEWER))
    assert cloud.endpoint()["EndpointStatus"] == "InService"


def test_down_waits_for_what_is_going_on(cloud: Cloud) -> None:
    cloud.double.delays.creating_s = 0.05
    cloud.up(config(), wait=False)
    cloud.down()
    assert cloud.left() == []


def test_endpoint_of_somebody_else_is_neither_updated_nor_removed(cloud: Cloud) -> None:
    cloud.up(config())
    arn = cloud.endpoint()["EndpointArn"]
    cloud.aws.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=["managed-by"])
    error = failure(cloud, image=NEWER)
    assert error.reason.startswith("The endpoint churn is there and was not made here")
    cloud.down()
    assert "Endpoint/churn" in cloud.double.shelf.left()


def test_down_removes_nothing_of_an_app_whose_name_begins_alike(cloud: Cloud) -> None:
    cloud.up(config())
    cloud.up(config(name="churn-two"))
    cloud.down("churn")
    assert [each.partition("/")[2][:9] for each in cloud.double.shelf.left()] == ["churn-two"] * 3


def test_endpoint_is_not_converted_between_instances_and_serverless(cloud: Cloud) -> None:
    cloud.up(config())
    with pytest.raises(DeployError, match="churn is on instances, and AWS converts none"):
        cloud.up(config("serverless"))


def test_model_of_that_name_and_another_content_is_not_taken_for_ours(cloud: Cloud) -> None:
    cloud.up(config())
    (model,) = (each for each in cloud.double.shelf.records.values() if "ModelArn" in each)
    model["PrimaryContainer"]["Image"] = NEWER
    assert "is not what its name says" in failure(cloud).reason


def test_journal_has_each_step_and_tells_a_next_run_where_it_was(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.double.faults.on("CreateEndpoint", Fault())
    failure(cloud)
    journal = Journal.of("churn")
    assert [each["what"].partition("/")[0] for each in journal.unfinished] == ["model", "endpoint-config"]
    cloud.up(config())
    assert "going on after 2 steps" in capsys.readouterr().err
    assert Journal.of("churn").unfinished == []


def test_broken_journal_costs_nothing(cloud: Cloud) -> None:
    Path(".deploy").mkdir()
    Path(".deploy/churn.json").write_text("{")
    cloud.up(config())
    assert json.loads(Path(".deploy/churn.json").read_text())["finished"]
