"""What deploy.toml says and a mode does not read is told by name, or refused where another model would be served."""

from __future__ import annotations

import time
from typing import Any

import pytest

from deploy import unread
from deploy.config import parse
from deploy.errors import DeployError
from tests.deploy.configs import CAPTURE, FEATURES, JOBS, MODES, NEWER, TABLE, VPC, config, feature

ENDPOINT: dict[str, Any] = {
    "variants": [{"name": "a", "type": "ml.c5.large"}],
    "shadow": {"name": "b"},
    "scaling": {"max": 4, "target": 700},
    "capture": CAPTURE,
    "update": {"strategy": "canary", "alarms": ["x"]},
    "instances": {"type": "ml.c5.large", "count": 2},
}
"""What only endpoints have."""

SAID: list[tuple[str, dict[str, Any], str]] = [
    ("multi-container", {}, "artifact"),
    ("pipeline", {}, "artifact"),
    ("batch", ENDPOINT, "[instances], [variants], [shadow], [capture], [scaling], [update]"),
    ("training", {"environment": {"A": 1}, "scaling": {"max": 2}}, "environment, [scaling]"),
    ("register", {"network": VPC}, "[network]"),
    ("serverless", {"instances": {"kms_key": "k", "type": "ml.c5.large"}}, "[instances]"),
    ("realtime", {"instances": {"type": "ml.c5.large", "max_count": 2}}, "instances.max_count"),
    ("realtime", {"update": {"wait_s": 60}}, "[update]"),
    ("recommend", {"recommend": {**JOBS["recommend"]["recommend"], "latency_ms": 9}}, "recommend.latency_ms"),
]


@pytest.mark.parametrize(("mode", "over", "names"), SAID)
def test_key_that_changes_nothing_is_named(mode: str, over: dict[str, Any], names: str) -> None:
    assert unread.check(config(mode, **over)) == [
        f"deploy.toml: {names} changes nothing as the file stands, in mode {mode}"
    ]


@pytest.mark.parametrize(
    ("mode", "over", "names"),
    [
        ("multi-container", {"variants": [{"name": "new", "artifact": "s3://b/new.tar.gz"}]}, "variants[0].artifact"),
        ("pipeline", {"shadow": {"name": "new", "image": NEWER}}, "shadow.image"),
        (
            "realtime",
            {"variants": [{"environment": {"A": 1}}], "components": [{"name": "a", "cpus": 1}]},
            "variants[0].environment",
        ),
    ],
)
def test_model_that_would_not_be_served_is_refused(mode: str, over: dict[str, Any], names: str) -> None:
    """A variant with a new artifact would serve the old one."""
    with pytest.raises(DeployError) as caught:
        unread.check(config(mode, **over))
    assert caught.value.reason.startswith(f"{names} would not be deployed")


@pytest.mark.parametrize("mode", [*MODES, *JOBS])
def test_sections_of_other_modes_are_no_news(mode: str) -> None:
    every = {name: value for table in (*MODES.values(), *JOBS.values()) for name, value in table.items()}
    table = {**TABLE, **every, **MODES.get(mode, {}), "mode": mode}
    if mode in ("multi-container", "pipeline"):
        del table["artifact"]
    assert unread.check(parse(table)) == []


@pytest.mark.parametrize("name", FEATURES)
def test_no_feature_has_a_key_that_changes_nothing(name: str) -> None:
    assert unread.check(feature(name)) == []


def test_looking_takes_no_time() -> None:
    here = config(**ENDPOINT, environment={str(i): i for i in range(50)})
    began = time.monotonic()
    unread.check(here)
    assert time.monotonic() - began < 0.5
