"""Each rule over several fields or calls: what breaks it is named by this rule, and by no other."""

from __future__ import annotations

import pytest

from deploy import rules
from deploy.checks import check
from deploy.config import Config, parse
from deploy.errors import DeployError
from deploy.rules import RULES
from tests.deploy.broken import BROKEN, FILES, Calls
from tests.deploy.configs import CAPTURE, IMAGE, TABLE, VPC, calls, config


@pytest.mark.parametrize(
    ("rule", "broken", "text"), [pytest.param(*each, id=f"{each[0]}-{i}") for i, each in enumerate(BROKEN)]
)
def test_what_breaks_a_rule_is_named_by_it(rule: str, broken: Calls, text: str) -> None:
    (found,) = (each for each in RULES if each.__name__ == rule)
    assert text in "; ".join(str(problem) for problem in found(broken))
    others = {other.__name__ for other in RULES if other is not found and list(other(broken))}
    assert others == set(), "one fault is told once"


def test_each_rule_has_its_test() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule.__name__ for rule in RULES}


def test_req_05_serverless_names_everything_it_cannot_at_once() -> None:
    here = config("serverless", network={**VPC, "isolation": True}, capture=CAPTURE, artifact=FILES)
    told = "; ".join(str(each) for each in rules.problems(calls(here)))
    for text in ("a VPC", "network.isolation", "[capture]", "not a prefix with files"):
        assert text in told


def test_all_problems_of_all_kinds_are_one_error() -> None:
    here = config(
        instances={"volume_gb": 900}, image=IMAGE.replace("eu-west-1", "us-east-1"), scaling={"min": 2, "target": 1}
    )
    with pytest.raises(DeployError) as caught:
        check(calls(here), here)
    for text in ("VolumeSizeInGB is 900", "the image is in us-east-1, the deployment in eu-west-1", "scaling.min is 2"):
        assert text in caught.value.reason


def test_warnings_are_told_and_refuse_nothing() -> None:
    here: Config = parse({**TABLE, "image": "ghcr.io/name:v1", "instances": {"type": "ml.m99.large"}})
    assert [text.split(" ", 1)[1].split(" is ")[0] for text in check(calls(here), here)] == [
        "ProductionVariants[0].InstanceType 'ml.m99.large'",
        "image ghcr.io/name:v1",
    ]
