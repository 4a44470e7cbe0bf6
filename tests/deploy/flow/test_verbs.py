"""The command line: what each verb prints, answers as JSON, and exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.configs import IMAGE, NEWER, ROLE
from tests.deploy.double import Fault
from tests.deploy.flow.conftest import Cloud, Deploy, interrupted

pytestmark = pytest.mark.usefixtures("file")


def test_plan_exits_with_2_for_changes_0_for_none_and_1_for_an_error(cloud: Cloud, deploy: Deploy, file: Path) -> None:
    assert deploy("plan").code == 2
    assert deploy("up").code == 0
    assert deploy("plan").code == 0
    file.write_text("nme = 1")
    assert deploy("plan").code == 1


def test_plan_shows_each_call_with_its_parameters(deploy: Deploy) -> None:
    done = deploy("plan")
    assert "+ create endpoint/churn\n    sagemaker:CreateEndpoint {" in done.out
    assert done.out.splitlines()[-2:] == [
        "3 to create",
        "main: 1 x ml.m5.large, 24 instance-hours a day, until `down`, idle or not",
    ]
    assert deploy("plan", "--short").out.count("{") == 0


def test_plan_as_json_has_what_scripts_need(deploy: Deploy) -> None:
    deploy("up")
    (note, model, *_) = deploy("plan", "--image", NEWER, "--output", "json").json()["changes"]
    assert [each["path"] for each in note["fields"]] == ["undo-config", "unfinished"]
    assert (model["do"], model["call"]) == ("create", "sagemaker:CreateModel")
    assert model["fields"] == [{"path": "PrimaryContainer.Image", "now": IMAGE, "wanted": NEWER}]


def test_plan_offline_needs_no_aws_and_checks_all_the_same(deploy: Deploy, cloud: Cloud) -> None:
    calls = deploy("plan", "--offline", "--output", "json").json()["calls"]
    assert [each["call"] for each in calls] == [
        "sagemaker:CreateModel",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateEndpoint",
    ]
    assert cloud.double.calls == []
    wrong = deploy("plan", "serverless", "--offline", "--set", "serverless.memory_mb=1500")
    assert (wrong.code, "memory_mb is 1500" in wrong.err) == (1, True)


def test_plan_of_what_is_unchanged_takes_less_than_3_s(deploy: Deploy) -> None:
    deploy("up")
    began = time.monotonic()
    assert deploy("plan").code == 0
    assert time.monotonic() - began < 3


def test_import_takes_less_than_300_ms() -> None:
    text = "import time; t = time.perf_counter(); import deploy.__main__; print(time.perf_counter() - t)"
    spent = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, cwd=Path(__file__).parents[3])
    assert float(spent.stdout) < 0.3


def test_help_of_a_verb_and_a_wrong_option_import_no_boto3() -> None:
    text = """
import sys
from deploy.__main__ import main
code = main(["up", "--nope"])
try:
    main(["up", "--help"])
except SystemExit:
    print(code, "boto3" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.splitlines()[-1] == b"64 False", "2 is plan's"


def test_up_tells_steps_on_stderr_and_the_result_on_stdout(deploy: Deploy) -> None:
    done = deploy("up")
    assert done.err.splitlines()[0].startswith("creating model/churn-main-")
    assert done.out.startswith("churn is up (realtime, eu-west-1), 3 changes in 0:0")
    assert deploy("up").out == "churn: nothing to do\n"


@pytest.mark.parametrize("verb", ["plan", "up", "status", "down"])
def test_every_verb_answers_an_error_as_json_too(deploy: Deploy, cloud: Cloud, verb: str) -> None:
    for operation in ("HeadObject", "DescribeEndpoint"):
        cloud.double.faults.on(operation, Fault("AccessDeniedException", "not authorized to perform: sagemaker:X"), 9)
    done = deploy(verb, "--output", "json")
    assert done.code == 1
    assert "not authorized" in done.json()["error"]["reason"]
    assert "doctor" in done.json()["error"]["next_step"]


def test_down_without_a_yes_removes_nothing(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    done = deploy("down")
    assert (done.code, len(cloud.left())) == (1, 3)
    assert "- DeleteEndpoint endpoint/churn" in done.err
    assert deploy("down", "--yes").code == 0
    assert cloud.left() == []
    assert deploy("down").out == "churn: nothing of ours is there\n"


def test_down_needs_no_more_than_a_name(deploy: Deploy, cloud: Cloud, file: Path) -> None:
    deploy("up")
    file.unlink()
    assert deploy("down", "--yes", "--name", "churn", "--region", "eu-west-1").code == 0
    assert cloud.left() == []


def test_down_names_a_registered_version_by_its_group_and_number(deploy: Deploy) -> None:
    deploy("up", "register")
    removed = deploy("down", "--registry", "--yes", "--output", "json").json()["removed"]
    assert removed == ["model-package/churn/1", "model-package-group/churn"]


def test_status_says_what_runs_and_what_was_interrupted(deploy: Deploy, cloud: Cloud) -> None:
    assert deploy("status").out == "churn: no endpoint in eu-west-1\n"
    deploy("up")
    deploy("up", "--image", NEWER)
    told = deploy("status", "--output", "json").json()["endpoint"]
    assert (told["status"], told["variants"][0]["images"], told["ours"]) == ("InService", [NEWER], True)
    assert told["previous"].startswith("churn-")
    cloud.double.faults.on("UpdateEndpoint", Fault())
    deploy("up")
    assert "`python -m deploy up` goes on" in deploy("status").out


def test_interrupted_wait_leaves_the_deployment_running_and_says_how_to_go_on(deploy: Deploy, cloud: Cloud) -> None:
    cloud.double.delays.creating_s = 0.2
    done = interrupted(deploy, "up")
    assert "go on: `python -m deploy up`" in done.err
    assert deploy("up").code == 0
    assert cloud.endpoint()["EndpointStatus"] == "InService"


def test_kill_9_in_the_middle_and_the_next_up_goes_on(
    deploy: Deploy, cloud: Cloud, environment: dict[str, str]
) -> None:
    root = str(Path(__file__).parents[3])
    environment["PYTHONPATH"] = os.pathsep.join([root, environment["PYTHONPATH"]])
    killed: list[subprocess.Popen[bytes]] = []
    cloud.double.faults.on("CreateEndpoint", Fault(carried_out=True, action=lambda: killed[0].kill()))
    killed.append(subprocess.Popen([sys.executable, "-m", "deploy", "up"], env=environment, stderr=subprocess.PIPE))
    _, told = killed[0].communicate(timeout=60)
    assert (killed[0].returncode, told.splitlines()[-1]) == (-9, b"creating endpoint/churn")
    assert "going on after 2 steps" in deploy("up").err
    assert deploy("plan").code == 0


def test_init_writes_a_file_that_plan_reads_and_writes_over_none(deploy: Deploy, file: Path) -> None:
    assert deploy("init").code == 1
    file.unlink()
    assert deploy("init", "--name", "churn", "--role", ROLE, "--image", IMAGE, "--region", "eu-west-1").code == 0
    assert deploy("plan", "--offline", "--artifact", "s3://bucket/model.tar.gz").code == 0


def test_unknown_verb_lists_the_verbs(deploy: Deploy) -> None:
    done = deploy("dpeloy")
    assert (done.code, "  rollback" in done.err) == (64, True)
    assert json.dumps(done.out) == '""'
    assert deploy("--help").code == 0


def test_keys_tells_every_key_with_its_meaning(deploy: Deploy) -> None:
    rows = {row["key"]: row for row in deploy("keys", "--output", "json").json()["keys"]}
    assert rows["async.output"]["text"]
    assert rows["scaling.schedules[].at"]["text"]
    assert rows["mode"]["one_of"][:2] == ["realtime", "serverless"]
    assert [row["key"] for row in rows.values() if not row["text"]] == []
    assert deploy("keys", "serverless.memory_mb").out == "serverless.memory_mb  memory, in whole GB [2048]\n"
