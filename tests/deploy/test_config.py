"""deploy.toml and flags: what is read, what is refused, and that all of it is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.config import load, parse
from deploy.errors import DeployError
from tests.deploy.configs import FEATURES, JOBS, MODES, TABLE, config


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
    path.write_text('name = "churn"\nrole = "r"\nimage = "i"\n[instances]\ntype = "ml.m5.large"\ncount = 3\n')
    found = load(path, {"image": "j", "instances": {"count": 1}})
    assert (found.image, found.instances.type, found.instances.count) == ("j", "ml.m5.large", 1)


def test_without_the_file_flags_may_say_all(tmp_path: Path) -> None:
    assert load(tmp_path / "deploy.toml", TABLE).name == "churn"


def test_a_file_that_is_not_toml_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "deploy.toml"
    path.write_text("name = churn")
    with pytest.raises(DeployError, match=r"deploy\.toml is not TOML: .*line 1"):
        load(path)


def test_async_is_read_under_its_own_name() -> None:
    assert config("async").asynchronous.output == "s3://bucket/answers/"


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_can_be_said(name: str) -> None:
    parse({**TABLE, **FEATURES[name]})
