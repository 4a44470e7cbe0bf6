"""deploy.toml and flags: what is read, what is refused, and that all of it is said at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from deploy import forms, shapes
from deploy.config import load, parse
from deploy.errors import DeployError
from tests.deploy.configs import FEATURES, IMAGE, JOBS, MODES, NEWER, ROLE, TABLE, config


def refused(table: dict[str, Any]) -> str:
    with pytest.raises(DeployError) as caught:
        parse(table)
    return caught.value.reason


def test_every_problem_is_named_at_once() -> None:
    table = {"name": "churn", "roel": "x", "mode": "realtim", "instances": {"typ": "ml.m5.large", "count": "2"}}
    assert refused(table) == (
        "deploy.toml and flags: roel is not a key; did you mean role?; "
        "mode is 'realtim'; it is one of realtime, serverless, async, batch, multi-model, multi-container, pipeline, "
        "training, register, recommend; "
        "instances.typ is not a key; did you mean type?; instances.count has to be a whole number, not '2'; "
        "role is missing; image is missing"
    )


def test_a_section_in_a_list_is_named_by_its_place() -> None:
    reason = refused({**TABLE, "variants": [{"name": "a"}, {"name": "b", "weigth": 1}]})
    assert "variants[1].weigth is not a key; did you mean weight?" in reason


def test_a_dash_for_an_underscore_is_near_enough_to_be_told() -> None:
    assert "serverless.memory-mb is not a key; did you mean memory_mb?" in refused(
        {**TABLE, "serverless": {"memory-mb": 1024}}
    )


@pytest.mark.parametrize(
    ("mode", "missing"),
    [
        ("async", "async.output is missing"),
        ("batch", "batch.input is missing; batch.output is missing"),
        ("multi-container", "containers is missing"),
        ("pipeline", "containers is missing"),
        ("training", "training.output is missing"),
        ("recommend", "recommend.sample is missing"),
    ],
)
def test_what_a_mode_needs_is_named(mode: str, missing: str) -> None:
    assert missing in refused({**TABLE, "mode": mode})


def test_components_go_with_realtime_alone() -> None:
    table = {**TABLE, **MODES["async"], "mode": "async", "components": [{"name": "a", "cpus": 1}]}
    assert "components go with mode realtime, not with async" in refused(table)


def test_multi_model_needs_an_artifact() -> None:
    table = {name: value for name, value in TABLE.items() if name != "artifact"}
    assert "artifact is missing" in refused({**table, "mode": "multi-model"})


def test_an_image_may_be_said_by_each_container_alone() -> None:
    table = {name: value for name, value in TABLE.items() if name != "image"}
    containers = [{"image": TABLE["image"]}, {"image": TABLE["image"]}]
    assert parse({**table, "mode": "pipeline", "containers": containers}).image == ""


def test_sections_of_other_modes_may_stay_in_the_file() -> None:
    """So that `up serverless` after `up realtime` takes one file."""
    everything = {**TABLE, **MODES["serverless"], **MODES["async"], **MODES["batch"], **JOBS["training"]}
    assert parse(everything).mode == "realtime"


def test_numbers_and_booleans_of_the_environment_are_written_as_strings() -> None:
    assert config(environment={"A": 1, "B": True, "C": 0.5}).environment == {"A": "1", "B": "true", "C": "0.5"}


def test_a_newer_format_of_the_file_is_refused() -> None:
    assert "schema is 2, this program knows 1" in refused({**TABLE, "schema": 2})


def test_flags_win_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text(
        f'name = "churn"\nrole = "{ROLE}"\nimage = "{IMAGE}"\n[instances]\ntype = "ml.m5.large"\ncount = 3\n'
    )
    found = load(path, {"image": NEWER, "instances": {"count": 1}})
    assert (found.image, found.instances.type, found.instances.count) == (NEWER, "ml.m5.large", 1)


def test_without_the_file_flags_may_say_all(tmp_path: Path) -> None:
    assert load(tmp_path / "deploy.toml", TABLE).name == "churn"


def test_a_file_that_is_not_toml_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text("name = churn")
    with pytest.raises(DeployError, match=r"deploy\.toml is not TOML: .*line 1"):
        load(path)


MISFITS = {
    "name is 'my_model'; it is of letters and digits, with dashes between them": {"name": "my_model"},
    "name is 'v1.0'; it is of": {"name": "v1.0"},
    "at most 63 in all, such as churn-2": {"name": "c" * 64},
    "role is 'sagemaker-run'; it is a role's ARN, such as arn:aws:iam::": {"role": "sagemaker-run"},
    "role is 'arn:aws:iam::123456789012:user/me'; it is": {"role": "arn:aws:iam::123456789012:user/me"},
    "image is 'serving:1'; it begins with a registry, such as 1234": {"image": "serving:1"},
    "image is 'me/serving:1'; it begins with": {"image": "me/serving:1"},
    "artifact is 'model.tar.gz'; it is an address in S3, such as s3://bucket/model.tar.gz": {
        "artifact": "model.tar.gz"
    },
    "artifact is 'https://b.s3.amazonaws.com/m.tar.gz'; it is": {"artifact": "https://b.s3.amazonaws.com/m.tar.gz"},
    "region is 'eu-west-1a'; it is a region's code, such as eu-west-1": {"region": "eu-west-1a"},
    "region is 'Frankfurt'; it is": {"region": "Frankfurt"},
    "instances.type is 'm5.large'; it begins with ml., such as ml.m5.large": {"instances": {"type": "m5.large"}},
    "variants[0].name is 'a_b'; it is of": {"variants": [{"name": "a_b"}]},
    "registry.instance_types[1] is 'm5'; it begins": {"registry": {"instance_types": ["ml.m5.large", "m5"]}},
    "async.output is 'answers/'; it is an address in S3": {"mode": "async", "async": {"output": "answers/"}},
    "containers[0].hostname is 'a_b'; it is of": {"mode": "pipeline", "containers": [{"hostname": "a_b"}]},
    "training.channels.a is 'data/'; it is an address in S3": {"training": {"channels": {"a": "data/"}}},
}


@pytest.mark.parametrize("told", MISFITS)
def test_value_that_does_not_look_as_it_has_to_is_told_with_one_that_does(told: str) -> None:
    reason = refused({**TABLE, **MISFITS[told]})
    assert told in reason
    assert "missing" not in reason


@pytest.mark.parametrize(
    "over",
    [
        {"name": "a"},
        {"name": "Churn--2"},
        {"role": "arn:aws-us-gov:iam::123456789012:role/service-role/My_Role+=,.@-1", "region": "us-gov-west-1"},
        {"image": "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b@sha256:0", "region": "cn-north-1"},
        {"image": "localhost:5000/a"},
        {"artifact": "s3://bucket/a folder/x y.tar.gz"},
        {"region": "us-isob-east-1"},
        {"region": "eusc-de-east-1"},
        {"instances": {"type": "ml.p6e-gb200.36xlarge"}},
    ],
    ids=str,
)
def test_value_that_looks_as_it_has_to_is_taken(over: dict[str, Any]) -> None:
    assert parse({**TABLE, **over})


def test_example_in_each_message_is_one_that_is_taken() -> None:
    found = [each for each in vars(forms).values() if isinstance(each, forms.Form)]
    examples = {each: re.search(r"such as ([^\s,]+)", each.text) for each in found}
    assert [example and re.fullmatch(each.pattern, example[1]) is not None for each, example in examples.items()] == [
        True
    ] * len(found)


def test_each_instance_type_and_region_that_botocore_knows_is_taken() -> None:
    session = botocore.session.get_session()
    types = shapes.service("sagemaker").shape_for("ProductionVariantInstanceType").enum
    training = shapes.service("sagemaker").shape_for("TrainingInstanceType").enum
    assert [each for each in (*types, *training) if list(forms.INSTANCE_TYPE.misfits(each, ""))] == []
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sagemaker", partition)
    ]
    assert len(regions) > 20
    assert [each for each in regions if list(forms.REGION.misfits(each, ""))] == []


def test_async_is_read_under_its_own_name() -> None:
    assert config("async").asynchronous.output == "s3://bucket/answers/"


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_can_be_said(name: str) -> None:
    parse({**TABLE, **FEATURES[name]})
