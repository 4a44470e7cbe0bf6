"""Small real races: our server and a constant one, about a second a cell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench import assets
from bench.servers import Failed, Running
from tests.bench.conftest import ROOT, Bench, bench_command
from tests.system.client import wait_until

Add = Callable[[str, str], Path]


@pytest.fixture
def right(models: Path) -> str:
    """The right answer to one row."""
    (answer,) = assets.expected("m1", "row")
    return str(answer)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The sample's stack with the packages of the tests, since its own are only installed for a benchmark."""
    command, env = "{python} {peers}/aws/stack.py sync", {"PYTHONPATH": "{peers}/common"}
    (tmp_path / "stack.json").write_text(json.dumps({"name": "stack", "command": command, "env": env}))
    return tmp_path / "stack.json"


def test_a_race_of_ours_and_added_servers(
    bench: Bench, add: Add, right: str, stack: Path, tools: Path, tmp_path: Path
) -> None:
    """The whole way: raw JSON of every cell, all answers good, the tables printed, the page and its plots written."""
    added = ("--add", add("constant", right), "--add", stack)
    ran = bench(*added, "--peers", "ours,constant,stack", "--cells", "csv:1,4;start:2;memory:2")
    assert ran.returncode == 0, ran.stderr
    raw = json.loads((tmp_path / "races.json").read_text())
    measured = {(each["peer"], each["cell"]): each["figures"] for each in raw["measurements"]}
    cells = ("csv:1", "csv:4", "start:2", "memory:2")
    assert set(measured) == {(peer, cell) for peer in ("ours", "constant", "stack") for cell in cells}
    for peer in ("ours", "constant", "stack"):
        figures = measured[peer, "csv:4"]
        assert figures["good_per_s"] > 50
        assert figures["errors"] == 0
        assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
        assert 10 < figures["cpu_us"] < 100_000
        assert 0 < measured[peer, "start:2"]["ping_s"] <= measured[peer, "start:2"]["answer_s"]
        assert measured[peer, "memory:2"]["pss_mb"] > 5
    assert set(measured["ours", "csv:1"]["stages_ms"]) == {"queue", "decode", "predict", "encode", "rest"}
    assert "| ours ÷ | csv, c=1 | csv, c=4 |" in ran.stdout
    assert "[2/3] round 1 constant memory:2: " in ran.stderr
    report(tools, tmp_path / "races.json", tmp_path / "docs")
    page = (tmp_path / "docs/performance.md").read_text()
    assert "| constant | " in page
    assert "plots/latency.svg" in page
    assert (tmp_path / "docs/plots/stages.svg").stat().st_size > 1000


def report(tools: Path, result: Path, docs: Path) -> None:
    command = [tools, "-m", "bench.report", result, "--docs", docs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wrong_answer_ends_the_run_of_that_server(bench: Bench, add: Add, tmp_path: Path) -> None:
    ran = bench("--add", add("wrong", "77"), "--peers", "wrong", "--cells", "csv:1")
    assert ran.returncode == 1
    assert "wrong failed with m1: wrong answered [77], right is [" in ran.stdout
    assert json.loads((tmp_path / "races.json").read_text())["measurements"] == []


def test_a_server_that_ends_is_told_with_its_log(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "dead.json").write_text('{"name": "dead", "command": "false"}')
    ran = bench("--add", tmp_path / "dead.json", "--peers", "dead", "--cells", "csv:1", "--output", "json")
    assert ran.returncode == 1
    (failure,) = json.loads(ran.stdout)["failures"]
    assert failure == {"peer": "dead", "artifact": "m1", "why": "dead ended with code 1; see build/bench/run/dead/log"}


def test_the_limits_are_measured_without_a_server(bench: Bench) -> None:
    ran = bench("--peers", "limit", "--cells", "csv:4;ner:4", "--output", "json")
    assert ran.returncode == 0, ran.stderr
    measured = {(each["peer"], each["cell"]): each["figures"] for each in json.loads(ran.stdout)["measurements"]}
    assert measured["nginx-static", "csv:4"]["good_per_s"] > 0
    assert {measured["in-process", cell]["good_per_s"] > 0 for cell in ("csv:4", "ner:4")} == {True}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_process(number: signal.Signals, models: Path, tmp_path: Path) -> None:
    """1. Start a long load.  2. Signal the benchmark alone.  Result: exit code 130, server and wrk are gone."""
    command = bench_command(tmp_path, "--peers", "ours", "--cells", "csv:1", "--seconds", "60")
    env = {**os.environ, "BENCH_LOCK": os.devnull}
    run = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    below = psutil.Process(run.pid)
    wait_until(lambda: "wrk" in [each.name() for each in below.children()], 60, "the load runs")
    left = below.children(recursive=True)
    assert len(left) > 3
    run.send_signal(number)
    assert run.wait(40) == 130
    wait_until(lambda: not any(each.is_running() for each in left), 10, "server and wrk are gone")


def test_a_server_that_ignores_sigterm_is_killed(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import servers
    from bench.contestants import Peer

    monkeypatch.setattr(servers, "STOP_TIMEOUT_S", 0.3)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    peer = Peer("deaf", "deaf", f"{{python}} -c '{code}'", {})
    with Running(peer, models / "m1", 1) as server:
        wait_until(lambda: server.log_path.read_text() != "", 10, "it is deaf")
        pids = server.pids()
        with pytest.raises(Failed, match=r"no 200 on /ping in 0\.1 s"):
            server.wait_ready(0.1)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
