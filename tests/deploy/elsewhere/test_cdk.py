"""examples/deploy/cdk by the program cdk itself: a clean template, whose stack is what `up` makes, and nothing left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.configs import TABLE, config
from tests.deploy.elsewhere.lint import lint
from tests.deploy.elsewhere.stack import snapshot
from tests.deploy.flow.conftest import Cloud
from tests.dockerfile import ROOT
from tests.missing import lacks
from tests.venvs import CDK, python_with

APP = ROOT / "examples" / "deploy" / "cdk"
LOCK = Path(__file__).with_name("cdk")
ASKED = [word for name in ("name", "image", "artifact", "role") for word in ("-c", f"{name}={TABLE[name]}")]
QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true", "CI": "true"}
Cdk = Callable[..., str]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PATH with cdk and the Python that has its library, made before a test's environment is closed."""
    if not shutil.which("npm"):
        lacks("needs npm, which brings the program cdk")
    folder = tmp_path_factory.mktemp("npm")
    shutil.copytree(LOCK, folder, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, timeout=300)
    return os.pathsep.join([str(folder / "node_modules" / ".bin"), str(python_with(CDK).parent), os.environ["PATH"]])


@pytest.fixture
def cdk(programs: str, environment: dict[str, str], tmp_path: Path) -> Cdk:
    """cdk("deploy"): in a copy of the app, against the double."""
    shutil.copytree(APP, tmp_path / "app")
    where = {"PATH": programs, "HOME": str(tmp_path), "AWS_REGION": TABLE["region"]}

    def run(*words: str) -> str:
        done = subprocess.run(
            ["cdk", *words, *ASKED, "--no-notices"], cwd=tmp_path / "app", env={**environment, **QUIET, **where},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_cfn_lint_takes_its_template(cdk: Cdk, tmp_path: Path) -> None:
    cdk("synth", "--quiet")
    (template,) = (tmp_path / "app" / "cdk.out").glob("*.template.json")
    assert lint(template.read_text()) == []


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..CDK..Metadata:UserWarning")
def test_cdk_deploys_what_up_makes_and_destroys_it(cdk: Cdk, cloud: Cloud) -> None:
    cloud.up(config(scaling={"max": 4, "target": 700}))
    ours = snapshot(cloud)
    cloud.down()
    before = len(cloud.double.calls)
    cdk("deploy", "--require-approval", "never")
    assert snapshot(cloud) == ours
    cdk("destroy", "--force")
    assert cloud.left() == []
    del cloud.double.calls[before:]  # CloudFormation's own, for which our policy is none
