"""examples/deploy/aws_cli.sh with the real AWS CLI, version 1 and version 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.aws_cli import VERSIONS, with_aws
from tests.deploy.configs import IMAGE, NEWER, ROLE
from tests.deploy.double import Double
from tests.dockerfile import ROOT

SCRIPT = ROOT / "examples" / "deploy" / "aws_cli.sh"
SCALING = "application-autoscaling"
ARTIFACT = "s3://bucket/churn/model.tar.gz"


class Script:
    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**environment, "NAME": "churn", "IMAGE": IMAGE, "ARTIFACT": ARTIFACT, "ROLE": ROLE}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**self.environment, **more}
        return subprocess.run([SCRIPT, *words], env=environment, capture_output=True, timeout=120, check=False)


@pytest.fixture(params=VERSIONS, ids="version_{}".format)
def script(request: pytest.FixtureRequest, quick: Double, environment: dict[str, str], tmp_path: Path) -> Script:
    folder = tmp_path / "programs"
    folder.mkdir()
    return Script(with_aws(request.param, folder, environment))


def test_up_a_failed_update_invoke_and_down(script: Script, quick: Double, container: None, tmp_path: Path) -> None:
    """One story, since each call of the CLI starts it anew, which takes half a second."""
    done = script.run("up", MAX_INSTANCES="4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"churn runs churn-")
    made = [each.partition("/")[0] for each in quick.shelf.left()]
    assert (made, quick.changes[-1]) == (["Model", "EndpointConfig", "Endpoint"], f"{SCALING}:PutScalingPolicy")
    its_version_stays_where_aws_turns_an_update_back(script, quick)
    (tmp_path / "body").write_bytes(b"5.1,\xff\x00{}\n")
    assert script.run("invoke", str(tmp_path / "body"), ACCEPT="text/csv").stdout == b"got 5.1,\xff\x00{}\n", (
        "byte by byte"
    )
    done = script.run("down")
    assert (done.stdout, done.stderr) == (b"churn is gone\n", b"")
    assert [each.partition("/")[0] for each in quick.shelf.left()] == ["Model", "EndpointConfig"], "of what failed"
    what_is_there_is_not_made_again(script, quick)


def its_version_stays_where_aws_turns_an_update_back(script: Script, quick: Double) -> None:
    """`aws sagemaker wait` calls that a success."""
    quick.fail_next("churn", "no ping")
    done = script.run("up", IMAGE=NEWER)
    assert done.returncode == 1
    assert b"the update failed: churn still runs churn-" in done.stderr
    assert not any(each.partition(":")[2].startswith("Delete") for each in quick.changes)


def what_is_there_is_not_made_again(script: Script, quick: Double) -> None:
    """Each version of the CLI has to say it in words that the script knows."""
    before = len(quick.shelf.left())
    done = script.run("up", IMAGE=NEWER)
    assert done.returncode == 0, done.stderr
    assert len(quick.shelf.left()) == before + 1
    assert quick.changes[-1] == "sagemaker:CreateEndpoint"


@pytest.mark.parametrize(
    ("words", "said"),
    [((), b"Usage: "), (("sideways",), b"Usage: "), (("up",), b"ROLE is not set. Usage: ")],
)
def test_what_it_needs_is_said(environment: dict[str, str], words: tuple[str, ...], said: bytes) -> None:
    done = Script(environment).run(*words, ROLE="")
    assert (done.returncode, done.stderr.startswith(said)) == (2, True)
