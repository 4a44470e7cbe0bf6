"""`export cloudformation`: what is in the template, that cfn-lint takes it, and that a stack is the same deployment."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.__main__ import main
from deploy.cloudformation import template
from tests.deploy.configs import FEATURES, JOBS, MODES, TABLE, calls, config, feature
from tests.deploy.double import Double
from tests.deploy.elsewhere.lint import lint
from tests.deploy.elsewhere.stack import same_as_up
from tests.deploy.flow.conftest import Cloud

NETWORK = {"subnets": ["subnet-0123abcd"], "security_groups": ["sg-0123abcd"]}
"""As real ones look."""


ALL = {
    **{name: config(name) for name in [*MODES, *JOBS]},
    **{name: feature(name) for name in FEATURES},
    "in a VPC, isolated": feature("in a VPC, isolated", network={**NETWORK, "isolation": True}),
}
TEMPLATES = {name: template(calls(each), each.name) for name, each in ALL.items()}
WITH_ENDPOINT = [name for name, each in TEMPLATES.items() if "Endpoint" in each.resources]


def text(resources: dict[str, Any]) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def properties(name: str, logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = TEMPLATES[name].resources[logical_id]["Properties"]
    return found


def test_cfn_lint_takes_every_mode_and_feature() -> None:
    """In one template, since most of cfn-lint's time goes into its beginning."""
    together: dict[str, Any] = {}
    for number, name in enumerate(ALL):
        here = dataclasses.replace(ALL[name], name=f"churn{number}")
        made = json.dumps(template(calls(here), here.name).resources)
        for each in json.loads(made):
            made = made.replace(f'"{each}"', f'"X{number}{each}"')
        together |= json.loads(made)
    assert len(together) > 80
    assert lint(text(together)) == []


def test_cfn_lint_takes_the_template_as_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Description, metadata and outputs."""
    assert main(words(tmp_path, "async to zero")) == 0
    assert lint(capsys.readouterr().out, "us-east-1") == []


def test_cfn_lint_would_see_a_fault() -> None:
    broken = text(TEMPLATES["realtime"].resources)
    for right, wrong in {"ml.m5.large": "m5.large", "VariantName": "VariantNames"}.items():
        broken = broken.replace(right, wrong)
    assert {each.split()[0] for each in lint(broken)} == {"E3002", "E3003", "E3030"}


@pytest.mark.parametrize("name", WITH_ENDPOINT)
def test_a_stack_is_what_up_makes_and_leaves_nothing(cloud: Cloud, name: str) -> None:
    same_as_up(cloud, ALL[name], json.dumps(TEMPLATES[name].as_json(name)))


# what is in it


def test_the_same_calls_give_the_same_text() -> None:
    first, second = (json.dumps(template(calls(each), "churn").as_json("x")) for each in (config(), config()))
    assert first == second


def test_a_new_version_replaces_the_old_one_under_the_same_id() -> None:
    """Else the stack would hold both, and CloudFormation could not know that one follows the other."""
    newer = template(calls(config(environment={"A": 2})), "churn").resources
    assert newer.keys() == TEMPLATES["realtime"].resources.keys() == {"ModelMain", "EndpointConfig", "Endpoint"}
    assert newer != TEMPLATES["realtime"].resources


def test_models_and_configurations_are_named_by_cloudformation() -> None:
    """A resource with a name cannot be replaced by one of the same name."""
    assert "ModelName" not in properties("realtime", "ModelMain")
    assert "EndpointConfigName" not in properties("realtime", "EndpointConfig")
    assert properties("realtime", "Endpoint")["EndpointName"] == "churn"


def test_down_does_not_take_what_belongs_to_a_stack() -> None:
    tags = {each["Key"]: each["Value"] for each in properties("realtime", "Endpoint")["Tags"]}
    assert (tags["managed-by"], tags["app"]) == ("cloudformation", "churn")


def test_scaling_waits_for_what_it_scales_and_an_update_keeps_its_count() -> None:
    target = TEMPLATES["scaling by invocations"].resources["ScalableTargetMain"]
    assert target["DependsOn"] == "Endpoint"
    assert properties("scaling by invocations", "ScalingPolicyMainInvocations")["ScalingTargetId"] == {
        "Ref": "ScalableTargetMain"
    }
    assert properties("scaling by invocations", "Endpoint")["RetainAllVariantProperties"] is True
    assert "RetainAllVariantProperties" not in properties("realtime", "Endpoint")


def test_a_schedule_is_a_part_of_its_target() -> None:
    (schedule,) = properties("scaling by the clock", "ScalableTargetMain")["ScheduledActions"]
    assert schedule["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 1}
    assert "ResourceId" not in schedule


def test_an_alarm_that_wakes_names_its_policy() -> None:
    assert properties("async to zero", "AlarmMainWake")["AlarmActions"] == [{"Ref": "ScalingPolicyMainWake"}]


def test_the_registry_keeps_its_versions_when_a_newer_one_comes() -> None:
    package = TEMPLATES["register"].resources["ModelPackage"]
    assert (package["DeletionPolicy"], package["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("mode", ["batch", "recommend"])
def test_a_job_is_not_in_the_template_and_that_is_said_in_it(mode: str) -> None:
    made = TEMPLATES[mode]
    assert list(made.resources) == ["ModelMain"]
    (told,) = made.as_json("x")["Metadata"]["NotInThisTemplate"]
    assert f"python -m deploy up {mode}" in told
    assert made.outputs == {"ModelName": {"Value": {"Fn::GetAtt": ["ModelMain", "ModelName"]}}}


def test_two_variants_of_like_names_have_ids_of_their_own() -> None:
    here = config(variants=[{"name": "a-b"}, {"name": "A-B", "count": 2}, {"name": "a--b", "count": 3}])
    assert len(template(calls(here), "churn").resources) == 5


# the verb


def words(folder: Path, name: str, *more: str) -> list[str]:
    """The command line for a deploy.toml of this mode or feature."""
    table = {**TABLE, "mode": ALL[name].mode, **MODES.get(name, JOBS.get(name, FEATURES.get(name, {})))}
    path = folder / "deploy.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in table.items()))
    return ["export", "cloudformation", "--file", str(path), "--offline", *more]


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def test_stdout_is_the_template_and_nothing_is_asked_of_aws(
    double: Double, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tmp_path, "realtime")) == main(words(tmp_path, "realtime", "--output", "json")) == 0
    out = capsys.readouterr().out
    one, other = out[: len(out) // 2], out[len(out) // 2 :]
    assert one == other
    assert json.loads(one)["Resources"]["Endpoint"]["Type"] == "AWS::SageMaker::Endpoint"
    assert double.calls == []


def test_timeouts_follow_the_size_that_s3_tells(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [each for each in words(tmp_path, "realtime") if each != "--offline"]
    assert main(line) == 0
    assert [str(each) for each in cloud.double.calls] == ["s3:HeadObject"]


def test_a_job_alone_is_refused_with_what_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(tmp_path, "training")) == 1
    assert "python -m deploy up training" in capsys.readouterr().err
