"""docs/iam.md from its beginning: its commands as they stand there, by the AWS CLI, in an account that has nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy import iam
from deploy.config import parse
from tests.aws_cli import with_aws
from tests.deploy.allowed import refused
from tests.deploy.configs import EVERY, ROLE, TABLE, config
from tests.deploy.double import Double
from tests.deploy.flow.conftest import Cloud, Deploy
from tests.docs.pages import ROOT, section

STEPS = section(ROOT / "docs" / "iam.md", "With an account and nothing else").blocks("bash")


def test_account_and_nothing_else_leads_to_a_role_and_a_file(
    double: Double, environment: dict[str, str], tmp_path: Path, client: Any
) -> None:
    """Of the AWS CLI version 1: its IAM commands are those of version 2."""
    programs, work = tmp_path / "programs", tmp_path / "work"
    (work / ".venv" / "bin").mkdir(parents=True)
    programs.mkdir()
    (work / ".venv" / "bin" / "python").symlink_to(sys.executable)
    env = with_aws(1, programs, environment)
    env["PYTHONPATH"] = f"{ROOT}:{env['PYTHONPATH']}:{':'.join(sys.path)}"  # a linked Python has no environment
    script = "set -euo pipefail\n" + "\n".join(STEPS)
    done = subprocess.run(["bash", "-c", script], cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    role = client("iam").get_role(RoleName="sagemaker-run")["Role"]
    assert f'role = "{role["Arn"]}"' in (work / "deploy.toml").read_text()
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    told = client("iam").get_role_policy(RoleName="sagemaker-run", PolicyName="iris")["PolicyDocument"]
    (read,) = [each["Resource"] for each in told["Statement"] if each["Sid"] == "Read"]
    assert read == [f"arn:aws:s3:::sagemaker-eu-central-1-123456789012/iris/{'?' * 16}/*"]
    (policy,) = client("iam").list_policies(Scope="Local")["Policies"]
    assert policy["PolicyName"] == "deploy-iris"


@pytest.mark.parametrize("name", EVERY)
def test_policy_of_a_deployment_lets_it_up_and_down(name: str, cloud: Cloud) -> None:
    """Its own policy alone; the other tests have those of all modes together."""
    wanted = config(**EVERY[name])
    cloud.up(wanted)
    cloud.up(wanted)
    cloud.down(registry=True)
    assert refused(iam.policy("deployer", wanted, TABLE["region"])["Statement"], cloud.double.calls) == set()


def test_trust_is_the_same_with_a_role_and_without_a_file(cloud: Cloud, deploy: Deploy) -> None:
    done = deploy("iam", "trust", "--role", ROLE)
    assert (done.code, done.json()) == (0, deploy("iam", "trust").json()), done.err


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["execution"], "name is missing"),
        (["deployer", "--name", "iris"], "role is missing"),
        (["deployer"], "name is missing; role is missing"),
        (["execution", "--name", "iris", "--check"], "role is missing"),
        (["execution", "multi-model", "--name", "iris"], "artifact is missing"),
    ],
)
def test_what_a_policy_cannot_do_without_is_named_and_nothing_else(
    words: list[str], missing: str, cloud: Cloud, deploy: Deploy
) -> None:
    done = deploy("iam", *words)
    assert (done.code, done.err.splitlines()[0]) == (1, f"error: deploy.toml and flags: {missing}")


def test_what_init_left_to_be_filled_in_is_not_there_yet(cloud: Cloud, deploy: Deploy) -> None:
    deploy("init", "--name", "iris", "--role", ROLE)
    told = json.dumps(deploy("iam", "deployer").json())
    assert "repository/sagemaker-serving" in told
    assert "BUCKET" not in told


def test_a_file_that_says_all_is_what_the_policy_is_about(cloud: Cloud, deploy: Deploy, file: Path) -> None:
    expected = iam.policy("execution", parse(TABLE), TABLE["region"])
    assert deploy("iam", "execution").json() == expected


def test_role_of_a_recommender_needs_more_than_is_printed_and_that_is_said(
    cloud: Cloud, deploy: Deploy, file: Path
) -> None:
    done = deploy("iam", "execution", "recommend", "--set", "recommend.sample=s3://bucket/sample.tar.gz")
    assert (done.code, "AmazonSageMakerFullAccess" in done.err) == (0, True)
    assert deploy("iam", "execution").err == ""
