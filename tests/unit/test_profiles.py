"""A hosting mode's limits are defaults: batch transform is recognised, what is set wins, and the page tells them."""

from __future__ import annotations

import re

import pytest

from container import nginx
from container.profiles import PROFILES
from container.settings import SETTINGS, Settings
from tests.docs.pages import OPERATIONS, section


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_names_settings_that_are_there(profile: str) -> None:
    assert PROFILES[profile].keys() <= SETTINGS.keys()


def test_without_a_word_it_is_real_time() -> None:
    assert Settings.from_environ({}) == Settings(profile="real-time")


@pytest.mark.parametrize("word", ["true", "True"])
def test_batch_transform_is_recognised(word: str) -> None:
    settings = Settings.from_environ({"SAGEMAKER_BATCH": word})
    assert (settings.profile, settings.timeout_s, settings.max_body_mb) == ("batch", 3600, 100)


def test_asy_01_one_number_raises_every_clock_of_an_answer() -> None:
    """An hour as it is told to nginx; tests/system has the clocks at work, a minute's and shorter."""
    settings = Settings.from_environ({"SERVING_PROFILE": "asynchronous"})
    assert (settings.deadline_s, settings.watchdog_s, settings.proxy_timeout_s) == (3597, 3598, 3599)
    conf = nginx.render(nginx.TEMPLATE.read_text(), nginx.variables(settings, cpus=1, workers=1))
    assert set(re.findall(r"proxy_read_timeout (\w+);", conf)) >= {"3599000ms"}
    assert f"client_max_body_size {1024 * 1024 * 1024};" in conf


def test_what_is_set_wins() -> None:
    environ = {"SERVING_PROFILE": "asynchronous", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "900"}
    settings = Settings.from_environ(environ)
    assert (settings.timeout_s, settings.max_body_mb) == (900, 1024)
    assert Settings.from_environ({"SERVING_PROFILE": "real-time", "SAGEMAKER_BATCH": "true"}).timeout_s == 60


def test_the_page_has_their_limits() -> None:
    told = {row[0].strip("`"): row[1:3] for row in section(OPERATIONS, "Hosting modes").rows()}
    made = {name: Settings.from_environ({"SERVING_PROFILE": name}) for name in PROFILES}
    assert told == {name: [f"{s.timeout_s:,.0f} s", f"{s.max_body_mb:,} MiB"] for name, s in made.items()}
