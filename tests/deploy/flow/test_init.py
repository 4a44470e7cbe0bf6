"""python -m deploy init: a file for each mode that needs nothing but its placeholders filled in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deploy.sections import JOBS, MODES
from tests.deploy.configs import IMAGE, ROLE
from tests.deploy.flow.conftest import Cloud, Deploy

OFF = re.compile(r"^#(?=[\w\[])", re.MULTILINE)
FILLED = {
    "arn:aws:iam::ACCOUNT:role/ROLE": ROLE,
    "ACCOUNT.dkr.ecr.REGION.amazonaws.com/sagemaker-serving@sha256:DIGEST": IMAGE,
    "ACCOUNT.dkr.ecr.REGION.amazonaws.com/other@sha256:DIGEST": IMAGE,
    "s3://BUCKET": "s3://bucket",
    "NAME-OF-AN-ALARM": "churn-5xx",
}
WRITTEN = Path("deploy.toml")

pytestmark = pytest.mark.usefixtures("cloud")


def filled(text: str) -> str:
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    return text


@pytest.mark.parametrize("mode", [*MODES, *JOBS])
def test_file_of_each_mode_is_planned_once_it_is_filled_in(mode: str, deploy: Deploy) -> None:
    """Its own sections, and nothing that the mode does not read; also with all on that is switched off."""
    missing = deploy("init", mode, "--region", "eu-west-1").out.removeprefix("wrote deploy.toml; fill in ").strip()
    text = WRITTEN.read_text()
    refused = deploy("plan", "--offline").err
    told = [name for name in missing.split(", ") if f"{name} is still what `init` wrote" in refused]
    assert told == missing.split(", "), refused
    for each in (text, OFF.sub("", text)):
        WRITTEN.write_text(filled(each))
        done = deploy("plan", "--offline")
        assert (done.code, done.err) == (0, "")
    assert tomllib.loads(text)["mode"] == mode


@pytest.mark.parametrize("mode", [*MODES, *JOBS])
def test_each_placeholder_that_is_switched_on_is_told(mode: str, deploy: Deploy) -> None:
    """An alarm of that name would be asked of AWS, which knows none."""
    deploy("init", mode)
    text = OFF.sub("", WRITTEN.read_text())
    for placeholder in FILLED:
        one = filled(text.replace(placeholder, "KEPT", 1)).replace("KEPT", placeholder)
        WRITTEN.write_text(one)
        assert ("is still what `init` wrote" in deploy("plan", "--offline").err) == (placeholder in text), placeholder


@pytest.mark.parametrize("mode", [*MODES, *JOBS])
def test_flags_are_written_or_refused(mode: str, deploy: Deploy) -> None:
    for flag, value in {"--instance-type": "ml.c5.xlarge", "--count": "3", "--artifact": "s3://b/mine.tar.gz"}.items():
        WRITTEN.unlink(missing_ok=True)
        done = deploy("init", mode, flag, value)
        if done.code:
            assert (done.code, f"init {mode} has no place for {flag}" in done.err) == (64, True)
        else:
            assert value in WRITTEN.read_text()


def test_half_of_a_placeholder_is_one(deploy: Deploy) -> None:
    for role in ("arn:aws:iam::123456789012:role/ROLE", "arn:aws:iam::ACCOUNT:role/mine"):
        done = deploy("plan", "--offline", "--name", "churn", "--role", role, "--image", IMAGE)
        assert f"role is still what `init` wrote, {role}" in done.err


def test_placeholder_of_another_mode_is_no_news(deploy: Deploy, cloud: Cloud) -> None:
    deploy("init", "async", "--role", ROLE, "--image", IMAGE, "--artifact", "s3://bucket/a.tar.gz")
    assert "async.output is still what `init` wrote, s3://BUCKET/answers/" in deploy("plan", "--offline").err
    assert deploy("plan", "realtime", "--offline").code == 0
