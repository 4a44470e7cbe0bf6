"""A server that cannot start ends with a non-zero code, and its last log line says where, why and what to change."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.server import OBEDIENT, Server

Serve = Callable[..., Server]

LIMIT_S = 10.0  # of a failing start on a busy machine; an idle one needs about 1 s
FAILURES = ("worker_failed", "startup_failed", '"logger": "nginx"')  # what a failing start may say in alarm
LINE = {"phase", "detail", "elapsed_s", "memory_mb", "code"}


@pytest.fixture
def failing(serve: Serve) -> Callable[..., dict[str, Any]]:
    """Start a server that must fail: its last log line, after a non-zero exit."""

    def fail(**more: Any) -> dict[str, Any]:
        server = serve(expect=FAILURES, **more)
        code = server.wait_exit(LIMIT_S)
        last = server.log_events()[-1]
        assert (last["event"], last["code"], code != 0) == ("startup_failed", code, True)
        assert last.keys() >= LINE
        assert 0 <= last["elapsed_s"] < LIMIT_S
        return last

    return fail


Failing = Callable[..., dict[str, Any]]


def test_a_model_folder_without_a_model_is_named(failing: Failing) -> None:
    last = failing(predictor="")
    assert last["phase"] == "load"
    assert "model" in last["detail"]


def test_a_model_folder_that_does_not_exist_is_named(failing: Failing, tmp_path: Path) -> None:
    last = failing(predictor="", env={"SM_MODEL_DIR": str(tmp_path / "nowhere")})
    assert last["phase"] == "load"
    assert str(tmp_path / "nowhere") in last["detail"]


def test_a_model_fn_that_raises_is_told_with_exception_file_and_line(failing: Failing) -> None:
    last = failing(predictor='def model_fn(model_dir):\n    raise KeyError("weights")\n')
    assert last["phase"] == "load"
    assert last["exception"] == "KeyError"
    assert last["file"].endswith("/predictor.py:2")
    assert "weights" in last["detail"]


def test_a_model_fn_that_fails_inside_a_library_is_told_with_the_users_line(failing: Failing) -> None:
    last = failing(predictor='import json\n\ndef model_fn(model_dir):\n    return json.loads("{")\n')
    assert last["exception"] == "JSONDecodeError"
    assert last["file"].endswith("/predictor.py:4")


def test_a_model_fn_of_the_artifact_is_told_with_its_own_line(failing: Failing, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text("def model_fn(model_dir):\n    return open('nowhere')\n")
    last = failing(model_dir=tmp_path)
    assert last["exception"] == "FileNotFoundError"
    assert last["file"].endswith("/code/inference.py:2")


def test_a_model_fn_that_calls_exit_is_told(failing: Failing) -> None:
    last = failing(predictor="import sys\n\ndef model_fn(model_dir):\n    sys.exit(0)\n")
    assert (last["phase"], last["exception"]) == ("load", "SystemExit")


def test_an_import_that_fails_names_the_module_and_the_line(failing: Failing) -> None:
    last = failing(predictor="import os\nimport no_such_module\n")
    assert last["phase"] == "import"
    assert last["exception"] == "ModuleNotFoundError"
    assert "no_such_module" in last["detail"]
    assert last["file"].endswith("/predictor.py:2")


def test_a_syntax_error_names_the_line(failing: Failing) -> None:
    last = failing(predictor="x = 1\ndef model_fn(:\n    pass\n")
    assert (last["phase"], last["exception"]) == ("import", "SyntaxError")
    assert last["file"].endswith("/predictor.py:2")


def test_a_handler_with_the_wrong_number_of_arguments_is_named(failing: Failing) -> None:
    last = failing(predictor="def model_fn(model_dir):\n    return 1\n\ndef predict_fn(data):\n    return data\n")
    assert last["phase"] == "handlers"
    assert "predict_fn" in last["detail"]
    assert last["file"].endswith("/predictor.py:4"), "where it is to be changed"


def test_bad_settings_are_named_together(failing: Failing) -> None:
    last = failing(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "many", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "-1"})
    assert (last["phase"], last["exception"]) == ("settings", "StartupError")
    assert "SAGEMAKER_MODEL_SERVER_WORKERS='many'" in last["detail"]
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT='-1'" in last["detail"]


def test_a_port_in_use_is_named(failing: Failing) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        last = failing(port=port)
    assert last["phase"] == "nginx"
    assert f"port {port}" in last["detail"]
    assert "SAGEMAKER_BIND_TO_PORT" in last["detail"]


def test_a_missing_nginx_is_told_with_how_to_get_it(failing: Failing) -> None:
    last = failing(env={"SERVING_NGINX": "/nowhere/nginx"})
    assert last["phase"] == "nginx"
    assert "/nowhere/nginx is not installed" in last["detail"]
    assert "apt-get install" in last["detail"]


def test_a_bad_nginx_conf_is_told_in_nginx_own_words(failing: Failing) -> None:
    """nginx.conf is the user's to edit."""
    conf = (Path(__file__).parents[2] / "nginx.conf").read_text()
    last = failing(files={"nginx.conf": conf.replace("server_tokens off;", "no_such_directive on;")})
    assert last["phase"] == "nginx"
    assert 'unknown directive "no_such_directive"' in last["detail"]


def test_a_run_folder_that_cannot_be_made_is_named(failing: Failing, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    last = failing(env={"SERVING_RUN_DIR": str(tmp_path / "file" / "run")})
    assert last["phase"] == "settings"
    assert "SERVING_RUN_DIR" in last["detail"]


def test_a_run_folder_too_deep_for_a_socket_is_named(failing: Failing, tmp_path: Path) -> None:
    last = failing(env={"SERVING_RUN_DIR": str(tmp_path / ("x" * 100))})
    assert last["phase"] == "settings"
    assert "SERVING_RUN_DIR" in last["detail"]


def test_a_run_folder_with_files_of_others_is_refused_and_kept(failing: Failing, tmp_path: Path) -> None:
    """SERVING_RUN_DIR=/home/me must not clear it."""
    (tmp_path / "thesis.tex").touch()
    last = failing(env={"SERVING_RUN_DIR": str(tmp_path)})
    assert last["phase"] == "settings"
    assert "SERVING_RUN_DIR" in last["detail"]
    assert (tmp_path / "thesis.tex").exists()


def test_workers_that_are_killed_while_they_load_end_the_start(failing: Failing) -> None:
    """The kernel kills for want of memory with signal 9; gunicorn alone would try again for ever."""
    last = failing(
        predictor="import os, signal\n\ndef model_fn(model_dir):\n    os.kill(os.getpid(), signal.SIGKILL)\n",
        env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
    )
    assert last["phase"] == "load"
    assert "SIGKILL is mostly want of memory" in last["detail"]
    assert "SAGEMAKER_MODEL_SERVER_WORKERS=1" in last["detail"]


def test_a_library_that_crashes_while_it_loads_is_not_taken_for_want_of_memory_alone(serve: Serve) -> None:
    server = serve(
        predictor="import os, signal\n\ndef model_fn(model_dir):\n    os.kill(os.getpid(), signal.SIGSEGV)\n",
        expect=(*FAILURES, "SIGSEGV"),
    )
    assert server.wait_exit(LIMIT_S) != 0
    assert any("was sent SIGSEGV" in line["event"] for line in server.log_events())
    assert "SIGSEGV is a library that crashed" in server.log_events()[-1]["detail"]


def test_a_load_that_never_ends_is_given_up_at_the_startup_timeout(failing: Failing) -> None:
    last = failing(env={"LOAD_GATE": "never", "SAGEMAKER_STARTUP_TIMEOUT": "1"})
    assert last["phase"] == "load"
    assert "0 of 1 workers were ready after 1 s" in last["detail"]
    assert "SAGEMAKER_STARTUP_TIMEOUT" in last["detail"]


def test_ping_is_never_200_in_a_start_that_fails(serve: Serve) -> None:
    """One worker loads, the other does not: a half-started server is no server."""
    server = serve(
        predictor="import os\n\ndef model_fn(model_dir):\n    open(os.environ['GATES'] + '/first', 'x').close()\n"
        "\ndef predict_fn(data, model):\n    return data\n",
        env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
        expect=FAILURES,
    )
    assert server.wait_exit(LIMIT_S) != 0
    assert server.log_events("ready") == []
    assert server.log_events()[-1]["exception"] == "FileExistsError"


def test_a_second_server_on_a_taken_port_fails_and_leaves_the_first_alone(server: Server) -> None:
    """Same port and user, so the same run folder: it must not be cleared under the one that serves."""
    command = [sys.executable, "-m", "container", "serve"]
    second = subprocess.run(
        command, cwd=server.program_dir, env=server.env, capture_output=True, timeout=LIMIT_S, check=False
    )
    assert second.returncode != 0
    assert b"startup_failed" in second.stdout.splitlines()[-1]
    assert server.invoke({"do": "echo"}).status == 200
    assert server.ping().status == 200


def test_a_start_that_fails_can_be_started_again(serve: Serve) -> None:
    server = serve(predictor="import no_such_module\n", expect=FAILURES)
    assert server.wait_exit(LIMIT_S) != 0
    server.write_program("predictor.py", OBEDIENT)
    server.start().wait_ready()
    assert server.invoke({"do": "echo"}).status == 200
    assert server.stop(signal.SIGTERM)[0] == os.EX_OK
