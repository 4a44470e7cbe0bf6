"""docs/modes: each mode has a page that is short, tells its limits, and says of the container what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from container.profiles import PROFILES
from container.settings import SETTINGS, Settings
from local_test.pipeline import MOST
from local_test.stages import BETWEEN_BYTES
from tests.docs.pages import ROOT, section, sections

MODES = ROOT / "docs" / "modes"
INDEX = MODES / "README.md"
PAGES = sorted(path for path in MODES.glob("*.md") if path != INDEX)
PROFILE_OF = {"real-time": "real-time", "serverless": "serverless", "asynchronous": "asynchronous"} | {
    "batch-transform": "batch"
}
LINES_LIMIT = 60
LINK = re.compile(r"\[[^\]]+\]\(([a-z-]+\.md)\)")
SPELT = {4: "4 MB", 25: "25 MB", 100: "100 MB", 1024: "1 GB", 60.0: "60 s", 3600.0: "1 h"}


def said(value: Any) -> str:
    """A setting's value as the pages write it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def text_of(name: str) -> str:
    return (MODES / f"{name}.md").read_text()


def test_the_index_leads_to_every_page() -> None:
    linked = {LINK.fullmatch(row[0]) for row in section(INDEX, "Hosting modes").rows()}
    assert {found[1] for found in linked if found} == {path.name for path in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_has_a_command_that_is_run_and_names_the_limits_source(page: Path) -> None:
    """tests/docs/test_commands.py types what stands in console blocks."""
    assert len(page.read_text().splitlines()) <= LINES_LIMIT
    assert section(page, "Here").blocks("console")
    assert section(page, "Limits").rows()
    assert "https://docs.aws.amazon.com/sagemaker/latest/dg/" in section(page, "Limits").text


@pytest.mark.parametrize("name", PROFILE_OF)
def test_the_settings_that_differ_are_those_of_the_profile(name: str) -> None:
    profile = PROFILES[PROFILE_OF[name]]
    found = [each for each in sections(MODES / f"{name}.md") if each.title == "What is different"]
    told = {row[0].strip("`"): (row[1], row[2]) for each in found for row in each.rows()}
    default = Settings()
    expected = {
        SETTINGS[field].variable: (said(value), said(getattr(default, field))) for field, value in profile.items()
    }
    assert told == expected


@pytest.mark.parametrize("name", PROFILE_OF)
def test_the_index_tells_each_profiles_limits(name: str) -> None:
    settings = Settings.from_environ({"SERVING_PROFILE": PROFILE_OF[name]})
    (row,) = [row for row in section(INDEX, "Hosting modes").rows() if f"({name}.md)" in row[0]]
    assert row[2:] == [SPELT[settings.max_body_mb], SPELT[settings.timeout_s]]


def test_every_profile_has_a_page() -> None:
    assert set(PROFILE_OF.values()) == set(PROFILES)


def test_the_numbers_of_real_time_are_the_defaults() -> None:
    settings = Settings()
    told = {found[1]: found[2] for found in re.finditer(r"`([A-Z_]+)`, (\d+)", text_of("real-time"))}
    assert told == {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": said(settings.max_body_mb),
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": said(settings.timeout_s),
        "SAGEMAKER_STARTUP_TIMEOUT": said(settings.startup_timeout_s),
        "SERVING_DRAIN_TIMEOUT": said(settings.drain_timeout_s),
    }
    assert f"a 504 comes at {settings.deadline_s:g} s" in text_of("real-time")


def test_the_numbers_of_the_other_pages_are_the_defaults() -> None:
    settings = Settings()
    limits = {
        row[2]: row[1]
        for name in ("bidirectional", "sessions")
        for row in section(MODES / f"{name}.md", "Limits").rows()
    }
    assert limits["`SERVING_SOCKET_LIMIT`"] == f"{settings.socket_limit} in each worker"
    assert limits["`SAGEMAKER_MAX_PAYLOAD_IN_MB`"] == SPELT[settings.max_body_mb]
    assert limits["`SAGEMAKER_MODEL_SERVER_TIMEOUT`"] == f"{settings.deadline_s:g} s"
    assert limits["`SAGEMAKER_SESSIONS_EXPIRATION`"].startswith(f"{settings.session_expiration_s:g} s")


def test_the_numbers_of_several_containers_are_those_of_the_stand_in() -> None:
    assert f"Up to {MOST} containers" in text_of("multi-container")
    assert f"2 to {MOST} containers" in text_of("pipeline")
    assert f"| Between two stages | {BETWEEN_BYTES / 10**6:g} MB;" in text_of("pipeline")


@pytest.mark.parametrize(("name", "folder"), [("streaming", "streaming"), ("bidirectional", "bidirectional")])
def test_the_functions_that_are_shown_are_the_examples(name: str, folder: str) -> None:
    (lines,) = section(MODES / f"{name}.md", "Here").blocks("python")
    assert lines in (ROOT / "examples" / folder / "code" / "inference.py").read_text()
