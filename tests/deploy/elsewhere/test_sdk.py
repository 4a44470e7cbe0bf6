"""examples/deploy/sagemaker_sdk_v2.py and sagemaker_sdk_v3.py with the real SDK: the double hears what it calls.

Of version 3 it is sagemaker-core, which the example needs and of which the rest is made.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.configs import IMAGE, ROLE
from tests.deploy.double import Double
from tests.dockerfile import ROOT
from tests.venvs import NO_TELEMETRY, SDK_2, SDK_3, python_with

EXAMPLES = ROOT / "examples" / "deploy"
ARTIFACT = "s3://bucket/churn/model.tar.gz"
MADE = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
HURRIED = """
import runpy, sys, time
time.sleep = lambda _: None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Version 2 looks every 30 s, version 3 every 5 s."""


@pytest.fixture(scope="module")
def sdk() -> Path:
    """Made before a test's environment is closed: it comes from a package index."""
    return python_with(SDK_2)


@pytest.fixture(scope="module")
def sdk_v3() -> Path:
    """The same of version 3."""
    return python_with(SDK_3)


@pytest.fixture
def told(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a child that sends no telemetry."""
    config = tmp_path / "no-telemetry.yaml"
    config.write_text(NO_TELEMETRY)
    places = {f"SAGEMAKER_{each}_CONFIG_OVERRIDE": str(config) for each in ("USER", "ADMIN")}
    return {**environment, **places, "SAGEMAKER_SUPPRESS_V2_WARNING": "1"}


def output(python: Path, example: str, env: dict[str, str]) -> str:
    """What the example prints."""
    command = [python, "-c", HURRIED, EXAMPLES / example, "churn", IMAGE, ARTIFACT, ROLE]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def changes(double: Double) -> list[str]:
    return [each.partition(":")[2] for each in double.changes]


@pytest.mark.slow
def test_version_2_deploys_asks_and_removes(sdk: Path, quick: Double, container: None, told: dict[str, str]) -> None:
    printed = output(sdk, "sagemaker_sdk_v2.py", told)
    assert printed.endswith("{'got': '5.1,3.5,1.4,0.2\\n6.3,2.7,4.9,1.8'}\n")
    assert changes(quick) == [*MADE, "DeleteEndpointConfig", "DeleteEndpoint", "DeleteModel"]
    assert quick.shelf.left() == []


@pytest.mark.slow
def test_version_3_deploys_asks_and_removes(sdk_v3: Path, quick: Double, container: None, told: dict[str, str]) -> None:
    printed = output(sdk_v3, "sagemaker_sdk_v3.py", told)
    assert printed.endswith('{"got": "5.1,3.5,1.4,0.2\\n6.3,2.7,4.9,1.8\\n"}\n')
    assert changes(quick) == [*MADE, "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert quick.shelf.left() == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_every_example_is_python_that_the_repository_needs_not(path: Path) -> None:
    """Copied anywhere, it runs."""
    imported = [each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Import | ast.ImportFrom)]
    roots = {str(getattr(each, "module", None) or each.names[0].name).partition(".")[0] for each in imported}
    assert roots <= {"__future__", "sys", "typing", "sagemaker", "aws_cdk", "constructs"}


@pytest.mark.slow
def test_images_that_the_page_names_are_known_to_the_sdk(sdk: Path) -> None:
    """The SDK's own lists, one a framework; with the version that the page names, if it names one."""
    (lists,) = sdk.parent.parent.glob("lib/*/site-packages/sagemaker/image_uri_config")
    page = (ROOT / "docs" / "deploy-elsewhere.md").read_text()
    named = re.findall(r"`'([a-z-]+)', (?:region(?:, '([0-9.-]+)')?|\.\.\.)", page)
    assert len(named) == 8
    for framework, version in named:
        text = (lists / f"{framework}.json").read_text()
        assert not version or f'"{version}"' in text, (framework, version)
