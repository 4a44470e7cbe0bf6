"""The model loaded once and its workers forked: what that gives, and every model that cannot be forked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from container.manifest import Sample, write_manifest
from tests.system.client import wait_until
from tests.system.server import OBEDIENT, Server

Serve = Callable[..., Server]

LOAD_S = 2.0


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact with a sample, by which a fork can prove itself."""
    write_manifest(tmp_path, feature_names=None, sample=Sample("application/json", '{"do": "echo"}'), libraries=[])
    return tmp_path


def ready(serve: Serve, artifact: Path, predictor: str = OBEDIENT, **env: str) -> Server:
    env = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2", **env}
    server = serve(predictor=predictor, model_dir=artifact, env=env)
    server.wait_ready()
    return server


def loaders(server: Server) -> set[int]:
    """The processes that ran model_fn, as the workers' answers tell."""
    return {server.invoke({"do": "loader"}).json()["loaded_by"] for _ in range(20)}


LOADER = OBEDIENT.replace('return {"pid": os.getpid(), **data}', 'return {**model, "pid": os.getpid(), **data}')


def test_a_model_with_a_sample_is_loaded_once_for_all_workers(serve: Serve, artifact: Path) -> None:
    server = ready(serve, artifact, LOADER)
    assert len(server.log_events("model_loaded")) == 1
    assert loaders(server) == set(server.pids("gunicorn_master"))
    assert len(server.pids("gunicorn_worker")) == 2


def test_a_model_without_a_sample_is_loaded_by_each_worker(serve: Serve, tmp_path: Path) -> None:
    server = ready(serve, tmp_path, LOADER)
    assert len(server.log_events("model_loaded")) == 2
    assert loaders(server) <= set(server.pids("gunicorn_worker"))


def test_the_setting_turns_it_off(serve: Serve, artifact: Path) -> None:
    server = ready(serve, artifact, SERVING_PRELOAD="false")
    assert len(server.log_events("model_loaded")) == 2
    assert server.log_events("preload_off") == []


def test_workers_draw_numbers_of_their_own(serve: Serve, artifact: Path) -> None:
    predictor = "import numpy.random\n" + OBEDIENT.replace('"pid": os.getpid()', '"drawn": numpy.random.random()')
    server = ready(serve, artifact, predictor)
    drawn = [server.invoke({"do": "draw"}).json()["drawn"] for _ in range(20)]
    assert len({*drawn}) == 20


def test_a_killed_worker_is_back_without_loading_again(serve: Serve, artifact: Path) -> None:
    server = ready(serve, artifact, LOAD_S=str(LOAD_S))
    killed = server.pids("gunicorn_worker")
    started_s = time.monotonic()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(killed) & set(server.pids("gunicorn_worker")), 5, "the killed ones are gone")
    assert server.wait_serving(5).status == 200
    assert time.monotonic() - started_s < LOAD_S


UNFIT = {
    "a connection, from which any fork could read the answer to another": (
        "import socket\nDATABASE, _other_end = socket.socketpair()\n",
        "socket:",
    ),
    "a file, in which a fork would move the others' position": (
        "TABLE = open(__file__)\n",
        "predictor.py is open after the load",
    ),
    "a thread that a fork does not have": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        "1 threads run after the load",
    ),
    "a library that refuses to work in a fork": (
        "import os\nLOADED = os.getpid()\n\ndef check():\n"
        "    if os.getpid() != LOADED:\n        raise RuntimeError('initialised before the fork')\n",
        "could not answer the sample",
    ),
    "a library that crashes in a fork": (
        "import os\nLOADED = os.getpid()\n\ndef check():\n    if os.getpid() != LOADED:\n        os.abort()\n",
        "could not answer the sample",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_model_that_cannot_be_forked_is_loaded_by_each_worker(serve: Serve, artifact: Path, kind: str) -> None:
    start, reason = UNFIT[kind]
    predictor = start + LOADER.replace('do = data["do"]', 'globals().get("check", int)()\n    do = data["do"]')
    server = ready(serve, artifact, predictor)
    (event,) = server.log_events("preload_off")
    assert reason in event["reason"]
    assert loaders(server) <= set(server.pids("gunicorn_worker"))


def test_a_mapped_file_is_no_obstacle(serve: Serve, artifact: Path) -> None:
    """As joblib and numpy map the arrays of large models, which forks may well share."""
    mapped = (
        "import mmap\nwith open(__file__) as file:\n    KEPT_OPEN = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
    )
    server = ready(serve, artifact, mapped + LOADER)
    assert server.log_events("preload_off") == []
    assert loaders(server) == set(server.pids("gunicorn_master"))


def test_a_fork_that_hangs_is_given_up(serve: Serve, artifact: Path) -> None:
    """The lock that one thread held is locked in the fork for ever."""
    hang = "import os, time\nLOADED = os.getpid()\n\ndef check():\n    time.sleep(60 * (os.getpid() != LOADED))\n"
    predictor = hang + OBEDIENT.replace('do = data["do"]', 'check()\n    do = data["do"]')
    server = serve(predictor=predictor, model_dir=artifact)
    assert "did not answer the sample within" in server.wait_event("preload_off", 20)["reason"]
    server.wait_ready()


def test_hup_loads_code_and_model_anew(serve: Serve, artifact: Path) -> None:
    server = ready(serve, artifact, OBEDIENT)
    server.write_program("predictor.py", OBEDIENT.replace('{"pid": os.getpid()', '{"code": "new", "pid": os.getpid()'))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.invoke({"do": "echo"}).json().get("code") == "new", 20, "the new code answers")


def test_a_model_fn_that_raises_ends_the_start_with_its_line(serve: Serve, artifact: Path) -> None:
    expect = ("worker_failed", "startup_failed")
    server = serve(
        predictor="def model_fn(model_dir):\n    raise KeyError('weights')\n", model_dir=artifact, expect=expect
    )
    assert server.wait_exit(10) != 0
    last = server.log_events()[-1]
    assert (last["event"], last["exception"]) == ("startup_failed", "KeyError")
    assert last["file"].endswith("/predictor.py:2")


def test_a_sample_that_fails_ends_the_start(serve: Serve, tmp_path: Path) -> None:
    write_manifest(tmp_path, feature_names=None, sample=Sample("application/json", '{"do": "raise"}'), libraries=[])
    server = serve(model_dir=tmp_path, expect=("worker_failed", "startup_failed"))
    assert server.wait_exit(10) != 0
    assert server.log_events()[-1]["phase"] == "warm_up"
