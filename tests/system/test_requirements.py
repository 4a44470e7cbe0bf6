"""Requirements of the artifact: installed at the start if so set, else told with what to do; /ping waits for them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.client import wait_until
from tests.system.server import Server
from tests.wheels import WORD, artifact

Serve = Callable[..., Server]

INSTALL = {"SERVING_INSTALL_REQUIREMENTS": "true"}
FAILURES = ("worker_failed", "startup_failed")
LIMIT_S = 15.0  # of a start with real pip, on a busy machine

# A pip that says where it is and goes on for a minute, in a process of its own as the real one does.
SLOW_PIP = """
import os, subprocess, sys, time
if len(sys.argv) > 1:
    subprocess.run([sys.executable, __file__])
else:
    open(os.path.join(os.environ["GATES"], "pip.reached"), "w").write(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture
def slow_pip(tmp_path: Path) -> dict[str, str]:
    """The environment of a server whose pip takes longer than any test."""
    (tmp_path / "slow" / "pip").mkdir(parents=True)
    (tmp_path / "slow" / "pip" / "__init__.py").touch()
    (tmp_path / "slow" / "pip" / "__main__.py").write_text(SLOW_PIP)
    return {**INSTALL, "PYTHONPATH": str(tmp_path / "slow")}


def installing(server: Server) -> None:
    wait_until((server.gates / "pip.reached").exists, LIMIT_S, "pip runs")
    wait_until(server.listens, LIMIT_S, "nginx listens")
    assert server.ping().status == 503


def test_requirements_are_installed_before_ping_is_200(serve: Serve, tmp_path: Path) -> None:
    """Once: a gunicorn that is restarted finds them."""
    server = serve(model_dir=artifact(tmp_path / "model"), env=INSTALL)
    server.wait_ready(LIMIT_S)
    assert server.invoke(b"[1]").json() == WORD
    events = [each["event"] for each in server.log_events()]
    assert events.index("requirements_installed") < events.index("ready")

    os.kill(server.pid("gunicorn_master"), signal.SIGKILL)
    server.wait_event("ready", count=2)
    assert server.invoke(b"[1]").json() == WORD

    (told,) = server.log_events("requirements_installed")
    assert (told["level"], told["packages"]) == ("warning", ["greeting==1.0"])
    in_artifact = sorted(path.name for path in (tmp_path / "model" / "code").iterdir())
    assert in_artifact == ["inference.py", "requirements.txt", "wheels"], "nothing is written into it"


def test_ping_is_503_and_sigterm_is_obeyed_while_they_are_installed(
    serve: Serve, tmp_path: Path, slow_pip: dict[str, str]
) -> None:
    server = serve(model_dir=artifact(tmp_path / "model"), env=slow_pip)
    installing(server)
    assert server.invoke(b"[1]").status == 503
    code, seconds = server.stop()
    assert (code, seconds < 2) == (0, True)


def test_an_installation_that_takes_too_long_ends_the_start(
    serve: Serve, tmp_path: Path, slow_pip: dict[str, str]
) -> None:
    env = {**slow_pip, "SAGEMAKER_STARTUP_TIMEOUT": "1"}
    server = serve(model_dir=artifact(tmp_path / "model"), env=env, expect=FAILURES)
    assert server.wait_exit(LIMIT_S) == 1
    last = server.log_events()[-1]
    assert (last["event"], last["phase"]) == ("startup_failed", "requirements")
    assert "not installed after 1 s; raise SAGEMAKER_STARTUP_TIMEOUT" in last["detail"]
    assert "make image MODEL=model.tar.gz" in last["detail"]


def test_an_installation_that_fails_is_told_in_pips_own_words(serve: Serve, tmp_path: Path) -> None:
    model_dir = artifact(tmp_path / "model", "greeting==2.0\n")
    server = serve(model_dir=model_dir, env=INSTALL, expect=FAILURES)
    assert server.wait_exit(LIMIT_S) == 1
    last = server.log_events()[-1]
    assert (last["event"], last["phase"]) == ("startup_failed", "requirements")
    assert "No matching distribution found for greeting==2.0" in last["detail"]
    assert "make image MODEL=model.tar.gz" in last["detail"]
    assert server.log_events("ready") == []


def test_without_installation_the_line_that_is_missing_is_told(serve: Serve, tmp_path: Path) -> None:
    """The default: nothing is installed by a server that was not asked to."""
    env = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    server = serve(model_dir=artifact(tmp_path / "model"), env=env, expect=FAILURES)
    assert server.wait_exit(LIMIT_S) == 1
    (warning,) = server.log_events("requirements_not_installed")
    assert warning["missing"] == ["greeting==1.0: not installed"]
    last = server.log_events()[-1]
    assert (last["event"], last["phase"]) == ("startup_failed", "import")
    assert "greeting==1.0 (requirements.txt, line 1)" in last["detail"]
    assert "SERVING_INSTALL_REQUIREMENTS=true" in last["detail"]
