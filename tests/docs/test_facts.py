"""Lists on the pages are the lists that the code has: routes, types, statuses, events, phases, clocks, the tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gunicorn.arbiter
import pytest

from container.adapter_routes import AdapterRoutes
from container.app import Serving
from container.codecs import DECODABLE, ENCODABLE
from container.errors import ServingError
from container.exposition import FILE, MODELS_FILE, Exposition
from container.management import Management
from container.model_metrics import Metrics
from container.settings import Settings
from local_test import settings_page
from tests.docs.pages import ARCHITECTURE, CODE, CONTRACT, OPERATIONS, PAGES, ROOT, page_name, section

SOURCES = sorted((ROOT / "container").rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in [*SOURCES, Path(gunicorn.arbiter.__file__)]}
NGINX_CONF = (ROOT / "nginx.conf").read_text()
GAP = "\0"
"""What stands in a message where the code fills in a value."""

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
EVENT_TABLES = ("Serving", "Training")


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call in container/."""
    for path in SOURCES:
        yield from ((path, node) for node in ast.walk(TREES[path]) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """f for f(...), and log.info for log.info(...)."""
    return ast.unparse(call.func)


def constants(node: ast.expr | None) -> set[str]:
    """The strings that an expression may be: "a" if x else "b" may be two."""
    found = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    return {each.value for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str)}


# contract.md


OF_NGINX = {"/execution-parameters", "/metrics"}
"""What nginx alone answers, from what the supervisor wrote."""

METHODS = ("GET ", "POST ", "DELETE ")
WITH_STREAM_FN = SimpleNamespace(handlers=SimpleNamespace(stream_fn=print, chat_fn=None), adapters=None)


def test_the_routes_are_the_apps_and_nginxs() -> None:
    told = {tuple(route.split()) for route in section(CONTRACT, "Routes").names()}
    rules = Serving(Settings(), WITH_STREAM_FN).url_map.iter_rules()
    served = {(method, rule.rule) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert told == served | {("GET", path) for path in OF_NGINX}
    exact = {found[1] for found in re.finditer(r"location = (\S+) \{(\s+internal;)?", NGINX_CONF) if not found[2]}
    assert exact == {path for _, path in told} - {"/invocations"}, "nginx passes all other paths to the app"


def test_the_routes_of_many_models_are_the_managements() -> None:
    told = {tuple(route.split()) for route in section(CONTRACT, "Many models").names()}
    assert told == {(method, rule.replace("<name>", "NAME")) for method, rule in Management(Settings(), None).routes}


def test_the_routes_of_adapters_are_those_that_are_served() -> None:
    told = {tuple(route.split()) for route in section(CONTRACT, "adapter_fn").names() if route.startswith(METHODS)}
    routes = AdapterRoutes(Settings(), SimpleNamespace()).routes
    assert told == {(method, rule.replace("<name>", "NAME")) for method, rule in routes}


def test_the_media_types_are_those_that_are_read_and_written() -> None:
    assert {name for name in section(CONTRACT, "Requests").names() if "/" in name} == set(DECODABLE)
    assert section(CONTRACT, "Answers").names() == set(ENCODABLE)


def test_every_status_of_our_errors_is_told() -> None:
    told = {row[0] for row in section(CONTRACT, "Errors").rows()}
    assert {str(int(each.status)) for each in [ServingError, *ServingError.__subclasses__()]} <= told


def test_the_limits_are_the_defaults_of_their_settings() -> None:
    settings = Settings()
    told = {row[2].strip("`"): row[1] for row in section(CONTRACT, "Limits").rows()}
    assert told["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == f"{settings.max_body_mb} MiB"
    assert told["SERVING_MAX_UNPACKED_MB"] == f"{settings.max_unpacked_mb} MiB"
    assert told["SERVING_QUEUE_LIMIT"] == f"{settings.queue_limit}"
    deadline = f"{settings.deadline_s:g} s of the platform's {settings.timeout_s:g}"
    assert told["SAGEMAKER_MODEL_SERVER_TIMEOUT"] == deadline


# operations.md


def logged() -> dict[str, set[str]]:
    """Event name -> fields, for every log call in container/; fields that only a run knows are left out."""
    found: dict[str, set[str]] = {}
    for _, call in calls():
        method = name_of(call)
        if method.startswith("log.") and method.removeprefix("log.") in {*LEVELS, "log"}:
            for event in constants(call.args[method == "log.log"]):
                found.setdefault(event, set()).update(fields_of(call))
    return found


def fields_of(call: ast.Call) -> set[str]:
    extra = next((each.value for each in call.keywords if each.arg == "extra"), None)
    return {field for key in extra.keys for field in constants(key)} if isinstance(extra, ast.Dict) else set()


def test_the_log_events_are_those_of_the_code() -> None:
    told = set().union(*(section(OPERATIONS, each).names() - {"nginx"} for each in EVENT_TABLES)) | {"nginx"}
    assert told == logged().keys()


def test_the_fields_of_each_event_are_told() -> None:
    told: dict[str, set[str]] = {}
    for row in (row for each in EVENT_TABLES for row in section(OPERATIONS, each).rows()):
        for event in CODE.findall(row[0]):
            told.setdefault(event, set()).update(CODE.findall(row[2]))
    told["failed"] = told["startup_failed"]
    given = {"request_id"}  # every line of a request has it
    assert {event: fields - told[event] - given for event, fields in logged().items()} == {e: set() for e in logged()}


def test_the_phases_of_a_failed_start_are_those_of_the_code() -> None:
    phased = ("StartupError", "explained", "failure_fields", "status.failure_fields", "Child")
    found = {phase for _, call in calls() if name_of(call) in phased for phase in constants(call.args[0])}
    assert section(OPERATIONS, "A start that failed").names() == found


def messages() -> list[str]:
    """Every text of the code and of nginx.conf, with GAP for what is filled in."""
    joined = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    texts = ["".join(each.value if isinstance(each, ast.Constant) else GAP for each in node.values) for node in joined]
    nodes = [node for tree in TREES.values() for node in ast.walk(tree)]
    texts += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return texts + NGINX_CONF.splitlines()


ERROR_TEXTS = {
    text
    for title in ("At the start", "In an answer", "In the log, as event or text")
    for text in section(OPERATIONS, title).names()
}


@pytest.mark.parametrize("text", sorted(ERROR_TEXTS))
def test_each_error_text_is_one_that_the_code_says(text: str) -> None:
    pattern = re.compile(".*".join(map(re.escape, re.split(r"\s*\.\.\.\s*", text))), re.DOTALL)
    assert any(pattern.search(message) for message in messages())


@pytest.mark.parametrize(("column", "timeout_s"), [(2, 60), (3, 10)])
def test_the_clocks_are_those_that_the_settings_work_out(column: int, timeout_s: float) -> None:
    settings = Settings(timeout_s=timeout_s)
    clocks = (settings.deadline_s, settings.watchdog_s, settings.proxy_timeout_s, settings.timeout_s)
    assert [row[column] for row in section(OPERATIONS, "Time limits").rows()] == [f"{clock:g}" for clock in clocks]


# the rest


def test_the_tree_is_that_of_container() -> None:
    """__init__ files are left out: they have no content of their own, or their folder's line tells it."""
    text = section(ARCHITECTURE, "container/, from the bottom up").text
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    told: list[str] = []
    for line in lines:
        names = re.split(r" {2,}", line.strip())[0] if not line.startswith(" ") else line.strip()
        told += names.rstrip("/").split()
    files = [path.stem for path in SOURCES if path.name != "__init__.py"] + ["codecs", "stand_ins"]
    assert sorted(told) == sorted(files)


def test_settings_md_is_what_make_docs_writes() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_no_page_names_a_setting_that_is_none() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    known = set(re.findall(r"\b(?:SERVING|SAGEMAKER)_[A-Z_]+\b", table))
    known.add("SAGEMAKER_SAFE_PORT_RANGE")  # the platform's: we open no port beside the one
    named: dict[str, Any] = {page_name(page): settings_in(page) - known for page in PAGES}
    assert named == {page_name(page): set() for page in PAGES}


def settings_in(page: Path) -> set[str]:
    return set(re.findall(r"\b(?:SERVING|SAGEMAKER)_[A-Z]+(?:_[A-Z]+)*\b", page.read_text()))


def test_the_metrics_are_those_of_the_code(tmp_path: Path) -> None:
    Exposition(tmp_path).write([], 0)
    Metrics(tmp_path).write([], 0, 0)
    told = "".join((tmp_path / name).read_text() for name in (FILE, MODELS_FILE))
    families = re.findall(r"^# TYPE (\w+)", told, re.MULTILINE)
    assert {name.partition("{")[0] for name in section(OPERATIONS, "Metrics").names()} == set(families)
