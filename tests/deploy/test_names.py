"""Names by content: the same input is the same name, and names stay within AWS's limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy import names
from deploy.facts import Facts
from tests.deploy.configs import IMAGE, MODES, NEWER, TABLE, calls, config


def made(*args: object, **over: object) -> list[str]:
    return [call.name for call in calls(config(**over))]  # type: ignore[arg-type]


def test_the_same_input_is_the_same_names() -> None:
    assert made() == made()


def test_names_are_app_variant_and_eight_hex_digits() -> None:
    model, configuration, endpoint = made()
    assert names.prefix_of("churn") == "churn"
    assert model.startswith("churn-main-")
    assert len(model.removeprefix("churn-main-")) == len(configuration.removeprefix("churn-")) == names.DIGITS
    assert endpoint == "churn"


def test_another_image_is_another_model_and_another_configuration_of_the_same_endpoint() -> None:
    old, new = made(), made(image=NEWER)
    assert old[0] != new[0]
    assert old[1] != new[1]
    assert old[2] == new[2]


def test_another_instance_type_is_the_same_model_in_another_configuration() -> None:
    old, new = made(), made(instances={"type": "ml.c5.large"})
    assert old[0] == new[0]
    assert old[1] != new[1]


def test_a_new_commit_alone_changes_no_name() -> None:
    here = config()
    assert [c.name for c in calls(here, Facts("a" * 40))] == [c.name for c in calls(here, Facts("b" * 40))]


def test_tags_alone_change_no_name() -> None:
    assert made() == made(tags={"team": "growth"}, version="7")


@pytest.mark.parametrize("mode", MODES)
def test_a_name_of_63_letters_stays_within_the_limit(mode: str) -> None:
    assert {len(name) <= names.LIMIT for name in made(mode=mode, name="c" * 63)} == {True}


def test_two_long_names_that_begin_alike_do_not_meet() -> None:
    one, two = made(name="c" * 62 + "a"), made(name="c" * 62 + "b")
    assert set(one) & set(two) == set()


def test_everything_is_tagged_with_app_version_commit_and_who_manages_it() -> None:
    for call in calls(config(tags={"team": "growth"}), Facts("0" * 40)):
        assert {each["Key"]: each["Value"] for each in call.parameters["Tags"]} == {
            "app": "churn",
            "version": "a" * 12,
            "git-sha": "0" * 40,
            "managed-by": "sagemaker-serving-deploy",
            "team": "growth",
        }


def test_our_tags_win_over_the_users() -> None:
    """`down` goes by them."""
    assert names.tags(config(tags={"app": "other"}), Facts())["app"] == "churn"


@pytest.mark.parametrize(
    ("image", "version", "tag"),
    [(IMAGE, None, "a" * 12), ("registry:5000/name:v3", None, "v3"), ("name", None, ""), (IMAGE, "7", "7")],
)
def test_version_is_said_or_the_images(image: str, version: str | None, tag: str) -> None:
    assert names.version(replace(config(), image=image, version=version)) == tag


def test_tables_are_complete() -> None:
    assert TABLE["image"] == IMAGE
