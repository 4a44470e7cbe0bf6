"""examples/deploy/cdk: what CDK made of it (synthesize.py) is a clean template and what `up` makes."""

from __future__ import annotations

import json

from tests.deploy.configs import config
from tests.deploy.elsewhere.lint import lint
from tests.deploy.elsewhere.stack import same_as_up
from tests.deploy.elsewhere.synthesize import RESULT, app_hash
from tests.deploy.flow.conftest import Cloud

MADE = json.loads(RESULT.read_text())
TEMPLATE = json.dumps(MADE["template"])


def test_the_template_is_this_apps() -> None:
    """Whoever changes the app runs synthesize.py once."""
    assert MADE["app.py"] == app_hash()


def test_cfn_lint_takes_it() -> None:
    assert lint(TEMPLATE) == []


def test_its_stack_is_what_up_makes(cloud: Cloud) -> None:
    same_as_up(cloud, config(scaling={"max": 4, "target": 700}), TEMPLATE)
