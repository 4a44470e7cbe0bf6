"""What a server does from its start to its end: workers, their environment, deadlines, two servers, starting again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from container.resources import THREAD_VARIABLES
from local_test.conformance.ports import free_port
from tests.system.client import wait_until
from tests.system.server import Server
from tests.system.wire import Wire

Serve = Callable[..., Server]

TIMEOUT_S = 2.0
SHORT = {"SAGEMAKER_MODEL_SERVER_TIMEOUT": f"{TIMEOUT_S:g}"}
DEADLINE_S = TIMEOUT_S * 0.85  # three ticks of a twentieth before it
GIGABYTE = 1024**3


def test_as_many_workers_run_as_the_setting_says(serve: Serve) -> None:
    server = serve(env={"SAGEMAKER_MODEL_SERVER_WORKERS": "3"})
    server.wait_ready()
    assert len(server.pids("gunicorn_worker")) == 3
    assert server.log_events("serving")[0]["workers"] == 3


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU is one worker")
def test_workers_that_were_added_are_there_after_a_reload(serve: Serve, tmp_path: Path) -> None:
    """gunicorn goes back to the number that it was started with: one."""
    with (tmp_path / "weights.bin").open("wb") as sparse:
        sparse.truncate(1024 * GIGABYTE)
    server = serve(model_dir=tmp_path, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "0", "PYTHON_CPU_COUNT": "2"})
    server.wait_ready()
    before = set(server.pids("gunicorn_worker"))
    server.process.send_signal(signal.SIGHUP)
    server.wait_event("worker_ready", count=4)
    wait_until(lambda: not before & set(server.pids("gunicorn_worker")), 10, "the old workers are gone")
    assert len(server.pids("gunicorn_worker")) == 2


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU is one worker")
def test_workers_grow_one_by_one_when_the_artifact_looks_too_large(serve: Serve, tmp_path: Path) -> None:
    """The folder says terabytes, the loaded model needs little: the first worker is measured, then others follow."""
    with (tmp_path / "weights.bin").open("wb") as sparse:
        sparse.truncate(1024 * GIGABYTE)
    server = serve(
        model_dir=tmp_path, env={"SAGEMAKER_MODEL_SERVER_WORKERS": "0", "PYTHON_CPU_COUNT": "2", "LOAD_GATE": "load"}
    )
    server.wait_gate("load")
    plan = server.log_events("workers")[0]
    assert (plan["initial"], plan["workers"], len(server.pids("gunicorn_worker"))) == (1, 2, 1)
    server.open_gate("load")
    server.wait_ready()
    assert len(server.pids("gunicorn_worker")) == 2
    assert "MB a worker" in server.log_events("worker_added")[0]["reason"]
    os.kill(server.pid("gunicorn_master"), signal.SIGKILL)
    server.wait_event("worker_ready", count=4)
    server.wait_serving(10)
    assert len(server.pids("gunicorn_worker")) == 2, "a restarted gunicorn has as many as it had grown to"


def test_thread_variables_are_set_before_numpy_is_imported(serve: Serve) -> None:
    """OpenBLAS reads them once. Asked of the library itself, since a variable that comes late would still be there."""
    server = serve(
        predictor="import os\nimport numpy\nfrom threadpoolctl import threadpool_info\n\n"
        "def model_fn(model_dir):\n    return None\n\ndef predict_fn(data, model):\n"
        "    pools = {p['internal_api']: p['num_threads'] for p in threadpool_info()}\n"
        "    return {'pools': pools, 'environ': dict(os.environ)}\n",
        env={"SAGEMAKER_MODEL_SERVER_WORKERS": "2", "PYTHON_CPU_COUNT": "2", "MKL_NUM_THREADS": "7"},
    )
    server.wait_ready()
    told = server.invoke({}).json()
    assert told["pools"]
    assert set(told["pools"].values()) == {1}
    named = {name: told["environ"][name] for name in THREAD_VARIABLES}
    assert named == {**dict.fromkeys(THREAD_VARIABLES, "1"), "MKL_NUM_THREADS": "7"}


def test_a_load_that_holds_the_interpreter_for_longer_than_a_request_may_becomes_ready(serve: Serve) -> None:
    """And gunicorn does not take it for dead, though native code that reads a model lets no other thread beat."""
    server = serve(
        predictor="import ctypes\n\ndef model_fn(model_dir):\n    ctypes.PyDLL(None).sleep(5)\n\n"
        "def predict_fn(data, model):\n    return data\n",
        env=SHORT,
    )
    server.wait_ready(20)
    assert len(server.log_events("worker_ready")) == 1


def test_a_hanging_prediction_is_504_at_its_deadline_then_the_worker_is_replaced(serve: Serve) -> None:
    server = serve(env=SHORT, expect=("worker_stuck",))
    server.wait_ready()
    hanging = server.pid("gunicorn_worker")
    reply = server.invoke({"do": "wait", "gate": "never"})
    assert reply.status == 504
    assert DEADLINE_S - 0.1 < reply.seconds < TIMEOUT_S
    wait_until(lambda: hanging not in server.pids("gunicorn_worker"), 3, "the stuck worker is gone")
    server.wait_serving(5)


def test_a_worker_that_computes_without_a_pause_is_504_then_replaced(serve: Serve) -> None:
    """It cannot even say that it is late: nginx does, just before the platform would give up."""
    server = serve(
        predictor="import ctypes\n\ndef model_fn(model_dir):\n    return None\n\ndef predict_fn(data, model):\n"
        "    ctypes.PyDLL(None).sleep(data['s'])\n    return data\n",
        env=SHORT,
        expect=("WORKER TIMEOUT", "worker_stuck"),
    )
    server.wait_ready()
    hanging = server.pid("gunicorn_worker")
    reply = server.invoke({"s": 30})
    assert reply.status == 504
    assert reply.seconds < TIMEOUT_S
    wait_until(lambda: hanging not in server.pids("gunicorn_worker"), 6, "the stuck worker is gone")
    wait_until(lambda: len(server.pids("gunicorn_worker")) == 1, 5, "another is there")
    wait_until(server.is_ready, 10, "/ping is 200")
    assert server.invoke({"s": 0}).status == 200


def test_a_stopped_worker_is_504_and_503_on_ping_then_replaced(serve: Serve) -> None:
    server = serve(env=SHORT, expect=("WORKER TIMEOUT",))
    server.wait_ready()
    stopped = server.pid("gunicorn_worker")
    os.kill(stopped, signal.SIGSTOP)
    reply = server.invoke({"do": "echo"})
    assert reply.status == 504
    assert reply.seconds < TIMEOUT_S
    wait_until(lambda: server.ping().status == 503, 5, "/ping is 503")
    wait_until(lambda: stopped not in server.pids("gunicorn_worker"), 6, "the stopped worker is gone")
    server.wait_serving(10)
    wait_until(server.is_ready, 2, "/ping is 200")


def test_a_client_that_left_is_not_predicted_for(serve: Serve) -> None:
    """1. A request holds the worker.  2. A second one waits, and its client leaves.  Result: it is never predicted."""
    server = serve()
    server.wait_ready()
    held = server.hold_request("first")
    sent = b'{"do": "wait", "gate": "second"}'
    with Wire(server.port) as wire:
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        wire.send([head % len(sent) + sent])
        wait_until(lambda: server.connections() == 2, 5, "nginx has the second request")
    wait_until(lambda: server.connections() == 1, 5, "nginx has seen it leave")
    server.open_gate("first")
    assert held.result().status == 200
    assert server.invoke({"do": "echo"}).status == 200
    assert not (server.gates / "second.reached").exists()


def test_two_servers_live_side_by_side(serve: Serve) -> None:
    """RUN-07: containers of one endpoint share a network; here a temporary folder too. A stop of one harms no other."""
    first = serve()
    second = serve(env={"TMPDIR": str(first.folder)})
    first.wait_ready()
    second.wait_ready()
    assert second.stop()[0] == 0
    assert first.invoke({"do": "echo"}).status == 200


def test_a_killed_server_can_be_started_again_in_its_run_folder(serve: Serve) -> None:
    """A container that is restarted after a kill finds its /tmp as it was: sockets, pid file, readiness."""
    server = serve()
    server.wait_ready()
    server.kill_all()
    wait_until(lambda: not server.listens(), 5, "the kernel has closed the killed ones' sockets")
    assert (server.run_dir / "ready").exists()
    server.start()
    wait_until(server.listens, 5, "nginx listens")
    server.wait_ready()
    assert server.invoke({"do": "echo"}).status == 200


def test_the_port_of_the_platform_is_obeyed_and_no_other_is_opened(serve: Serve) -> None:
    """RUN-04, RUN-06."""
    server = serve(port=free_port())
    server.wait_ready()
    assert server.listening_ports() == {server.port}


def test_the_server_is_ready_soon_after_its_start(serve: Serve) -> None:
    """A trivial model: what is left is Python, gunicorn and Flask. Measured 0.5 s idle; the limit is for a busy CI."""
    assert serve().wait_ready() < 5


def test_nothing_is_written_outside_the_run_folder(server: Server) -> None:
    assert server.invoke({"do": "echo"}).status == 200
    assert {path.name for path in server.folder.iterdir()} == {"program", "gates", "ml", "log", server.run_dir.name}
    assert list((server.folder / "ml").rglob("*")) == [server.folder / "ml" / "model"]
