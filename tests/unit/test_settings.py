"""The settings: read once from the environment, wrong ones named together, one timeout behind every clock."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import StartupError
from container.settings import SETTINGS, Settings, unknown_variables
from local_test import settings_page

GOOD = {
    "SAGEMAKER_BIND_TO_PORT": ("9000", 9000),
    "SAGEMAKER_BASE_DIR": ("/data", Path("/data")),
    "SM_MODEL_DIR": ("/models/a", Path("/models/a")),
    "SERVING_RUN_DIR": ("/run/serving", Path("/run/serving")),
    "SAGEMAKER_PROGRAM": ("entry.py", "entry.py"),
    "SAGEMAKER_SUBMIT_DIRECTORY": ("file:///opt/ml/code", Path("/opt/ml/code")),
    "SAGEMAKER_MODEL_SERVER_WORKERS": ("3", 3),
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": ("0.5", 0.5),
    "SAGEMAKER_STARTUP_TIMEOUT": ("1200", 1200.0),
    "SERVING_DRAIN_TIMEOUT": ("0", 0.0),
    "SAGEMAKER_CONTAINER_LOG_LEVEL": ("40", logging.ERROR),
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": ("0", 0),
    "SERVING_MAX_UNPACKED_MB": ("1", 1),
    "SERVING_DEFAULT_CONTENT_TYPE": ("text/csv; header=absent", "text/csv; header=absent"),
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": ("text/csv", "text/csv"),
    "SERVING_CSV_HEADER": ("Present", "present"),
    "SERVING_JSON_NAN": ("error", "error"),
    "SERVING_WORKER_CLASS": ("gthread", "gthread"),
    "SERVING_MAX_BATCH_SIZE": ("1", 1),
    "SERVING_MAX_BATCH_DELAY_MS": ("2.5", 2.5),
    "SERVING_QUEUE_LIMIT": ("1", 1),
    "SERVING_SOCKET_LIMIT": ("1", 1),
    "SERVING_MAX_WAIT": ("0.25", 0.25),
    "SERVING_MAX_REQUESTS": ("1000", 1000),
    "SERVING_MAX_WORKER_MEMORY_MB": ("2048", 2048),
    "SERVING_PREDICT_THREADS": ("256", 256),
    "SAGEMAKER_MULTI_MODEL": ("True", True),
    "SERVING_INSTALL_REQUIREMENTS": ("True", True),
    "SERVING_MODEL_PROCESSES": ("65536", 65536),
    "SERVING_LOADED_ADAPTERS": ("100", 100),
    "SERVING_PRELOAD": ("false", False),
    "SERVING_VERSION_MISMATCH": ("warn", "warn"),
    "SERVING_VERIFY_ARTIFACT": ("False", False),
    "SERVING_PROFILE": ("asynchronous", "asynchronous"),
    "SAGEMAKER_BATCH": ("True", True),
    "SERVING_BAD_RECORDS": ("refuse", "refuse"),
    "SAGEMAKER_ENABLE_STATEFUL_SESSIONS": ("True", True),
    "SAGEMAKER_SESSIONS_EXPIRATION": ("90", 90.0),
    "SERVING_SPACY_EXCLUDE": ("parser, lemmatizer,", ("parser", "lemmatizer")),
    "SERVING_NGINX": ("/opt/nginx", "/opt/nginx"),
}
BAD = {
    "SAGEMAKER_BIND_TO_PORT": ["0", "65536", "http", "8080.0", "-1", "٣"],
    "SAGEMAKER_MODEL_SERVER_WORKERS": ["-1", "1025", "auto", "1e3", "9" * 5000],
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": ["0.4", "3601", "nan", "inf", "1m", "-5"],
    "SAGEMAKER_CONTAINER_LOG_LEVEL": ["loud", "100", "-1"],
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": ["csv", "text/", "text/csv\nX-Evil: 1"],
    "SERVING_CSV_HEADER": ["yes"],
    "SERVING_VERIFY_ARTIFACT": ["1", "on"],
}


def fields_of(variable: str) -> str:
    return next(name for name, spec in SETTINGS.items() if spec.variable == variable)


def test_every_setting_is_in_the_table_of_good_values() -> None:
    assert {spec.variable for spec in SETTINGS.values()} == set(GOOD)


@pytest.mark.parametrize(("variable", "case"), GOOD.items())
def test_a_good_value_is_read(variable: str, case: tuple[str, object]) -> None:
    text, value = case
    assert getattr(Settings.from_environ({variable: f" {text} "}), fields_of(variable)) == value


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_a_bad_value_is_named_with_what_it_must_be(variable: str, text: str) -> None:
    with pytest.raises(StartupError, match=f"^{variable}=.* must be ") as caught:
        Settings.from_environ({variable: text})
    assert caught.value.phase == "settings"


@pytest.mark.parametrize(
    ("environ", "threaded"),
    [
        ({}, False),
        ({"SERVING_PREDICT_THREADS": "2"}, True),
        ({"SERVING_WORKER_CLASS": "gthread"}, True),
        ({"SERVING_WORKER_CLASS": "loop", "SERVING_PREDICT_THREADS": "1"}, False),
    ],
)
def test_more_than_one_predict_thread_asks_for_gthread(environ: dict[str, str], threaded: bool) -> None:
    assert Settings.from_environ(environ).threaded is threaded


def test_the_loop_has_one_thread() -> None:
    with pytest.raises(StartupError, match="SERVING_PREDICT_THREADS must be 1"):
        Settings.from_environ({"SERVING_WORKER_CLASS": "loop", "SERVING_PREDICT_THREADS": "2"})


def test_many_models_are_not_installed_for() -> None:
    """A load must not wait for an installation, nor change what other models import."""
    with pytest.raises(StartupError, match="SERVING_INSTALL_REQUIREMENTS=true is for one model"):
        Settings.from_environ({"SERVING_INSTALL_REQUIREMENTS": "true", "SAGEMAKER_MULTI_MODEL": "true"})


def test_all_bad_values_are_named_at_once() -> None:
    """One start shows them all, not one start each."""
    with pytest.raises(StartupError) as caught:
        Settings.from_environ({variable: texts[0] for variable, texts in BAD.items()})
    assert [variable for variable in BAD if f"{variable}=" not in str(caught.value)] == []


def test_without_any_variable_the_defaults_hold() -> None:
    found = Settings.from_environ({})
    assert (found.port, found.base_dir, found.model_dir) == (8080, Path("/opt/ml"), Path("/opt/ml/model"))
    assert (found.workers, found.timeout_s, found.max_body_bytes) == (0, 60.0, 25 * 1024 * 1024)


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_is_one_that_is_not_set(text: str) -> None:
    """`docker run -e NAME=` and the console's empty fields."""
    assert Settings.from_environ({"SAGEMAKER_BIND_TO_PORT": text}).port == 8080


def test_the_names_of_the_old_sample_are_read_too_and_the_new_ones_win() -> None:
    assert Settings.from_environ({"MODEL_SERVER_WORKERS": "2"}).workers == 2
    assert Settings.from_environ({"MODEL_SERVER_TIMEOUT": "30"}).timeout_s == 30
    both = {"MODEL_SERVER_WORKERS": "2", "SAGEMAKER_MODEL_SERVER_WORKERS": "5"}
    assert Settings.from_environ(both).workers == 5


def test_the_model_lies_in_the_base_folder_unless_said_otherwise() -> None:
    assert Settings.from_environ({"SAGEMAKER_BASE_DIR": "/data"}).model_dir == Path("/data/model")
    assert Settings.from_environ({"SAGEMAKER_BASE_DIR": "/data", "SM_MODEL_DIR": "/m"}).model_dir == Path("/m")


def test_two_ports_have_two_run_folders() -> None:
    found = [Settings.from_environ({"SAGEMAKER_BIND_TO_PORT": port}).run_dir for port in ("9001", "9002")]
    assert found == [Path(tempfile.gettempdir()) / f"serving-{os.getuid()}-{port}" for port in (9001, 9002)]


def test_without_any_temporary_folder_the_settings_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only root the supervisor then says what cannot be written, and training needs no run folder."""

    def find_none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", find_none)
    assert Settings(port=8123).run_dir.parent == Path("/tmp")  # noqa: S108


def test_a_relative_path_is_made_absolute() -> None:
    """gunicorn's workers and nginx have working folders of their own."""
    assert Settings.from_environ({"SM_MODEL_DIR": "model"}).model_dir == Path.cwd() / "model"


@given(st.floats(0.5, 3600))
def test_each_clock_ends_before_the_next_one(timeout_s: float) -> None:
    """The 504 comes first, then the watchdog, then nginx, all before the platform gives up."""
    found = Settings(timeout_s=timeout_s)
    assert 0 < found.deadline_s < found.watchdog_s < found.proxy_timeout_s < timeout_s


def test_a_misspelt_variable_is_told_with_the_nearest_name() -> None:
    found = unknown_variables({"SERVING_QUEUE_LIMITS": "1", "SERVING_QUEUE_LIMIT": "1", "HOME": "/root"})
    assert found == [{"variable": "SERVING_QUEUE_LIMITS", "did_you_mean": "SERVING_QUEUE_LIMIT"}]


def test_foreign_variables_of_sagemaker_are_harmless() -> None:
    """RUN-20."""
    environ = {"SAGEMAKER_REGION": "eu-west-1", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "SM_HOSTS": "[]"}
    assert Settings.from_environ(environ) == Settings.from_environ({})
    assert unknown_variables(environ) == []


def test_the_log_has_every_setting_once_and_a_warning_for_each_unknown_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Settings().log_all({"SERVING_COLOUR": "red"})
    told, warned = caplog.records
    assert vars(told)["settings"].keys() == SETTINGS.keys()
    assert (warned.getMessage(), vars(warned)["variable"]) == ("unknown_setting", "SERVING_COLOUR")
    assert "red" not in str(vars(warned))


def test_the_documentation_is_the_table_of_the_settings() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "run: make docs"


def test_the_table_has_a_row_for_each_setting_and_alias() -> None:
    page = settings_page.page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [re.findall("`([A-Z_]+)`", row)[0] for row in rows] == [spec.variable for spec in SETTINGS.values()]
    aliases = [alias for spec in SETTINGS.values() for alias in spec.aliases]
    assert [alias for alias in aliases if f"`{alias}`" not in page] == []


def test_no_setting_is_read_twice_under_one_name() -> None:
    names = [name for spec in SETTINGS.values() for name in (spec.variable, *spec.aliases)]
    assert sorted(names) == sorted(set(names))
