"""Containers that mean no good: the checker ends in bounded time and memory, says what it saw, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_test.conformance.engine import LABEL, LOG_OPTIONS, PIDS_LIMIT, EngineFault
from local_test.conformance.server import LOG_LIMIT_BYTES, Setup
from local_test.conformance.subjects import Image
from tests.conformance.command import SAMPLE_OPTIONS, Done, conformance
from tests.conformance.derived import built
from tests.image.container import docker

Check = Callable[..., Done]

HOSTILE_DIR = Path(__file__).parent / "hostile"
MEMORY_LIMIT_MB = 1200  # 512 MB of answers are held at most, once more while their parts are joined; and the program
START_LIMIT_S = 3
TIME_LIMIT_S = 90
OPTIONS = ("--fast", "--start-limit", START_LIMIT_S, "--output", "json")


@pytest.fixture(scope="session")
def hostile_image(engine: None) -> str:
    return built("conformance-twin-hostile", HOSTILE_DIR, NO_TOOLS="")


@pytest.fixture(scope="session")
def bare_image(engine: None) -> str:
    return built("conformance-twin-hostile", HOSTILE_DIR, NO_TOOLS="yes")


@pytest.fixture
def check(hostile_image: str, tmp_path: Path) -> Check:
    """check(mode, where) -> what the command did on such a container."""
    payload = tmp_path / "payload"
    payload.write_text("1,2\n")

    def run(mode: str, where: str = "/ping", *, image: str = hostile_image, only: str = "PNG") -> Done:
        words = (*OPTIONS, *SAMPLE_OPTIONS, payload, "--only", only)
        return conformance(image, *words, "--env", f"MODE={mode}", "--env", f"WHERE={where}", limit_s=TIME_LIMIT_S)

    return run


def seen(done: Done, name: str) -> str:
    return next(each["seen"] for each in done.report["results"] if each["id"] == name)


def assert_bounded(done: Done) -> None:
    """It ended by itself, without a traceback, with a report, and did not grow."""
    assert done.status in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.peak_mb < MEMORY_LIMIT_MB


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("hang", "no answer within"),
        ("garbage", "not HTTP/1.1"),
        ("headers", "not HTTP/1.1"),
        ("informational", "no answer within"),
        ("body", "more than"),
        ("chunks", "more than"),
        ("trickle", "no answer within"),
    ],
)
def test_a_ping_that_never_ends_well_is_a_failed_ping(mode: str, words: str, check: Check) -> None:
    done = check(mode)
    assert_bounded(done)
    assert done.outcomes()["PNG-01"] == "failed"
    assert words in seen(done, "PNG-01")


@pytest.mark.slow
def test_sixteen_answers_without_end_do_not_fill_memory(check: Check) -> None:
    """The load of PNG-02 gets them all at once."""
    done = check("body", "/invocations", only="PNG-02")
    assert_bounded(done)
    assert done.outcomes()["PNG-02"] == "failed"


@pytest.mark.parametrize("mode", ["flood", "fork", "deaf"])
def test_a_container_that_serves_and_misbehaves_is_judged_all_the_same(mode: str, check: Check) -> None:
    done = check(mode)
    assert_bounded(done)
    assert done.outcomes()["PNG-01"] == "held"


def test_one_that_exits_at_once_is_said_to_have(check: Check) -> None:
    done = check("exit")
    assert_bounded(done)
    assert "exit code 3" in seen(done, "PNG-01")


def test_one_without_a_shell_is_judged_all_the_same(check: Check, bare_image: str) -> None:
    done = check("", image=bare_image)
    assert_bounded(done)
    assert done.outcomes()["PNG-01"] == "held"


def test_what_it_sends_to_a_terminal_arrives_harmless(check: Check) -> None:
    done = check("escapes")
    assert "\\x1b]0;owned\\x07" in seen(done, "PNG-01")
    assert "\x1b" not in done.stdout + done.stderr


@pytest.fixture
def image(hostile_image: str) -> Iterator[Image]:
    subject = Image(hostile_image, Setup())
    yield subject
    subject.close()


def test_a_container_has_limits_that_save_the_machine(image: Image) -> None:
    container = image.engine.create(image.name, Setup())
    host = image.engine.client.api.inspect_container(container.id)["HostConfig"]
    assert host["PidsLimit"] == PIDS_LIMIT
    assert host["OomScoreAdj"] > 0
    assert host["LogConfig"]["Config"] == LOG_OPTIONS


def test_nothing_is_made_once_a_run_is_stopped(image: Image) -> None:
    image.engine.create(image.name, Setup())
    image.close()
    with pytest.raises(EngineFault, match="the run has been stopped"):
        image.start(Setup())
    assert docker("ps", "-aq", "--filter", f"label={LABEL}={image.engine.run_id}") == ""


def test_a_program_that_prints_without_end_is_not_read_to_its_end(image: Image) -> None:
    endless = ("python", "-c", "while True: print('x' * 10_000)")
    with image.start(Setup()) as server:
        server.wait_ready(10)
        code, output = server.execute(*endless)
    assert (code, output) == (125, f"python printed more than {LOG_LIMIT_BYTES} bytes")
