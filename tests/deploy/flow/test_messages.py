"""What people read who have not set up all of it, or were interrupted: each says what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.aws import Aws
from deploy.errors import DeployError
from deploy.refusals import Unanswered, refusal
from deploy.verbs import plan
from tests.deploy.flow.conftest import Cloud, Deploy, interrupted

MACHINES = {
    "There are no AWS credentials": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    r"config profile \(nope\) could not be found": {"AWS_PROFILE": "nope"},
    "AWS_MAX_ATTEMPTS is 'many'": {"AWS_MAX_ATTEMPTS": "many"},
    "There is no AWS region": {"AWS_DEFAULT_REGION": ""},
    "The region is 'eu central'; it is a region's code, such as": {"AWS_DEFAULT_REGION": "eu central"},
    "The region is 'Paris'": {"AWS_REGION": "Paris"},
    "Could not connect to the endpoint URL": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
}


@pytest.mark.parametrize("told", MACHINES)
def test_machine_that_is_not_set_up_is_told_what_to_set(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MACHINES[told].items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(DeployError, match=told) as caught:
        Aws().call("sts", "GetCallerIdentity")
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("said", "region"),
    [
        ({"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-3"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
def test_region_is_that_of_the_file_then_of_the_environment(
    said: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert (Aws().region, Aws("eu-north-1").region) == (region, "eu-north-1")
    assert Aws()._boto3_session().region_name == region, "of what boto3 asks by itself, such as a role's credentials"


def test_folder_without_a_file_is_told_of_init_and_a_wrong_path_of_itself(deploy: Deploy) -> None:
    done = deploy("plan")
    assert (done.code, "name is missing" in done.err) == (1, True)
    assert "next: There is no deploy.toml here: `python -m deploy init` writes one." in done.err
    assert "There is no typo.toml." in deploy("plan", "--file", "typo.toml").err
    Path("folder.toml").mkdir()
    assert "folder.toml cannot be read" in deploy("plan", "--file", "folder.toml").err


def test_file_as_init_writes_it_is_told_what_is_to_be_filled_in(deploy: Deploy) -> None:
    assert deploy("init", "--name", "churn").out == "wrote deploy.toml; fill in role, image, artifact\n"
    told = deploy("plan", "--offline").err
    assert [f"{name} is still what `init` wrote" in told for name in ("role", "image", "artifact")] == [True] * 3


@pytest.mark.parametrize("path", ["nofolder/deploy.toml", "rows.csv/deploy.toml", "/proc/deploy.toml"])
def test_init_says_where_it_cannot_write(path: str, deploy: Deploy) -> None:
    Path("rows.csv").write_text("1,2\n")
    done = deploy("init", "--file", path)
    assert (done.code, done.err.startswith(f"error: {path} cannot be written: ")) == (1, True)
    assert "next: Make its folder, or name another file: --file OTHER.toml." in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", "my_model"), "name is 'my_model'; it is of letters and digits"),
        (("--role", "sagemaker-run"), "role is 'sagemaker-run'; it is a role's ARN, such as"),
        (("--image", "serving:1", "--region", "Paris"), "region is 'Paris'; it is a region's code"),
    ],
)
def test_init_writes_no_file_that_plan_would_refuse(words: tuple[str, ...], told: str, deploy: Deploy) -> None:
    done = deploy("init", *words)
    assert (done.code, told in done.err, Path("deploy.toml").exists()) == (1, True, False)


@pytest.mark.parametrize("verb", ["status", "logs", "invoke rows.csv", "scale 3", "down"])
def test_verb_that_needs_a_name_asks_nothing_about_one_that_cannot_be(verb: str, deploy: Deploy, cloud: Cloud) -> None:
    Path("rows.csv").write_text("1,2\n")
    done = deploy(*verb.split(), "--name", "my_model", "--region", "eu-west-1")
    assert (done.code, "name is 'my_model'; it is of letters and digits" in done.err) == (1, True)
    assert cloud.double.calls == []


def test_instance_type_that_is_misspelt_is_told_the_nearest(deploy: Deploy, file: Path) -> None:
    assert "did you mean ml.m5.large?" in deploy("plan", "--instance-type", "ml.m5.larg").err


@pytest.mark.usefixtures("file")
def test_up_that_does_not_wait_claims_no_more_than_it_did(deploy: Deploy) -> None:
    deploy("up")
    deploy("up", "--set", "environment.A=2")
    done = deploy("up", "--set", "environment.A=3", "--no-wait")
    go_on = "python -m deploy up --set environment.A=3"
    assert done.out == f"churn: 4 changes begun, 3 left; AWS goes on. `{go_on}` sees to the rest.\n"
    told = f"  `up` has begun, as far as endpoint/churn; when AWS is done, `{go_on}` sees to the rest\n"
    assert told in deploy("status").out
    assert deploy("up", "--set", "environment.A=3").out.startswith("churn is up")
    assert deploy("status", "--output", "json").json()["last_run"] is None


@pytest.mark.usefixtures("file")
def test_first_up_that_does_not_wait_leaves_nothing_to_do_but_to_look(deploy: Deploy) -> None:
    told = "churn: 3 changes begun; AWS goes on. `python -m deploy status` tells how it ends.\n"
    assert deploy("up", "--no-wait").out == told
    assert deploy("status", "--output", "json").json()["last_run"] is None


@pytest.mark.usefixtures("file")
def test_up_refuses_a_value_before_it_asks_or_waits(deploy: Deploy, cloud: Cloud) -> None:
    done = deploy("up", "--set", "instances.volume_gb=900")
    assert (done.code, "VolumeSizeInGB is 900, at most 512" in done.err) == (1, True)
    assert cloud.double.calls == []


@pytest.mark.usefixtures("file")
def test_folder_in_which_no_journal_can_be_is_told_before_anything_is_made(deploy: Deploy, cloud: Cloud) -> None:
    Path(".deploy").write_text("a file in its place")
    done = deploy("up")
    assert done.err.startswith("error: .deploy/churn.json cannot be written: ")
    assert (done.code, "next: Run it in a folder that you may write to" in done.err) == (1, True)
    assert cloud.double.changes == []


def test_invoke_of_an_endpoint_that_is_not_there(deploy: Deploy) -> None:
    Path("rows.csv").write_text("1,2\n")
    done = deploy("invoke", "rows.csv", "--name", "churn", "--region", "eu-west-1")
    assert (done.code, "There is no endpoint churn in eu-west-1." in done.err) == (1, True)


def test_what_the_models_server_says_is_not_taken_for_awss() -> None:
    text = 'Received client error (400) from primary with message "no bucket in this image"'
    assert refusal("InvokeEndpoint", {"Code": "ModelError", "Message": text}).next_step.startswith("The model's server")


@pytest.mark.usefixtures("file")
def test_interrupted_verb_says_what_goes_on_only_if_something_does(
    deploy: Deploy, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.double.delays.creating_s = 60

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    told = interrupted(deploy, "up", "--output", "json")
    again = "python -m deploy"
    ways = f"Look: `{again} status`, go on: `{again} up --output json`, take it back: `{again} down`."
    assert told.json()["error"]["next_step"] == ways
    monkeypatch.setattr(plan, "made", interrupt)
    assert (deploy("plan").code, deploy("plan").err) == (130, "error: plan was interrupted.\n")


@pytest.mark.usefixtures("file")
def test_what_botocore_does_not_send_is_not_told_as_a_network_that_fails(cloud: Cloud) -> None:
    with pytest.raises(DeployError) as caught:
        cloud.aws.call("logs", "GetLogEvents", logGroupName="/a", logStreamName="b", limit=-5)
    assert not isinstance(caught.value, Unanswered)
    assert caught.value.reason.startswith("GetLogEvents was not sent: ")
    assert "parameter limit, value: -5" in caught.value.reason
    assert cloud.double.calls == []
