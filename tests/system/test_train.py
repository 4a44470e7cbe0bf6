"""The shipped `train`, and small ones, as real programs against a fake /opt/ml."""

from __future__ import annotations

import json
import math
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import joblib
import numpy as np
import pytest

from container import manifest

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "local_test" / "test_dir" / "input"


@pytest.fixture
def base_dir(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "ml" / "input")
    return tmp_path / "ml"


def environment(base_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SM_", "SAGEMAKER_"))}
    inherited.pop("PYTHONUNBUFFERED", None)
    return inherited | {"SAGEMAKER_BASE_DIR": str(base_dir), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def run(base_dir: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, by default the shipped train."""
    return subprocess.run(
        command or [sys.executable, str(ROOT / "train")],
        env=environment(base_dir), cwd=base_dir, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def configure(base_dir: Path, name: str, content: dict[str, Any]) -> None:
    (base_dir / "input" / "config" / f"{name}.json").write_text(json.dumps(content))


def failure_of(base_dir: Path) -> str:
    return (base_dir / "output" / "failure").read_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run of the shipped train, for all who only look at what it left."""
    base_dir = tmp_path_factory.mktemp("trained") / "ml"
    shutil.copytree(FIXTURE, base_dir / "input")
    return base_dir, run(base_dir)


Trained = tuple[Path, subprocess.CompletedProcess[str]]


def test_trn_01_train_ends_with_0_and_a_model_of_a_manifest_and_a_file(trained: Trained) -> None:
    base_dir, ended = trained
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(path.name for path in (base_dir / "model").iterdir()) == ["manifest.json", "model.joblib"]
    assert not (base_dir / "output" / "failure").exists()


def test_trn_10_the_score_is_one_line_that_a_metric_regex_reads(trained: Trained) -> None:
    found = re.findall(r"validation:accuracy=([0-9.]+)", trained[1].stdout)
    assert len(found) == 1
    assert 0.9 < float(found[0]) <= 1


def test_trn_13_the_sample_of_the_manifest_is_answered_by_the_model(trained: Trained) -> None:
    model_dir = trained[0] / "model"
    model, written = joblib.load(model_dir / "model.joblib"), manifest.read_manifest(model_dir)
    assert written is not None
    assert written.sample is not None
    assert written.feature_names == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert written.libraries.keys() == {"joblib", "numpy", "scikit-learn", "scipy"}
    manifest.check_files(written, model_dir)
    rows = np.loadtxt([written.sample.body], delimiter=",", ndmin=2)
    assert model.predict(rows)[0] in {"setosa", "versicolor", "virginica"}


def test_trn_02_a_bad_hyperparameter_is_named_in_the_failure_file(base_dir: Path) -> None:
    configure(base_dir, "hyperparameters", {"max_iter": "abc"})
    assert run(base_dir).returncode == 1
    first = "ValueError: hyperparameter max_iter='abc' must be a whole number from 1 to 100000"
    assert failure_of(base_dir).splitlines()[0] == first
    assert not list((base_dir / "model").iterdir())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_iter": 1.5}, "hyperparameter max_iter=1.5 must be a whole number from 1 to 100000"),
        ({"max_iter": True}, "hyperparameter max_iter=True must be a whole number from 1 to 100000"),
        ({"max_iter": 0}, "hyperparameter max_iter=0 must be a whole number from 1 to 100000"),
        ({"validation_share": 2}, "hyperparameter validation_share=2 must be a number from 0.05 to 0.5"),
        ({"C": math.inf}, "hyperparameter C=inf must be a number from 1e-06 to 1000000.0"),
        ({"C": None}, "hyperparameter C=None must be a number from 1e-06 to 1000000.0"),
        ({"depth": 3}, "unknown hyperparameters: depth; known: C, max_iter, folds, validation_share, seed"),
    ],
)
def test_a_hyperparameter_of_a_wrong_type_or_value_is_named_with_what_is_allowed(
    given: dict[str, Any], says: str
) -> None:
    read_hyperparameters = runpy.run_path(str(ROOT / "train"))["read_hyperparameters"]
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        read_hyperparameters(given)


def test_a_bad_number_in_the_data_is_named_with_file_and_line(base_dir: Path) -> None:
    with (base_dir / "input" / "data" / "training" / "iris.csv").open("a") as file:
        file.write("1,2,x,4,setosa\n")
    assert run(base_dir).returncode == 1
    assert failure_of(base_dir).startswith("ValueError: iris.csv, line 152: ")


def test_trn_04_without_hyperparameters_the_defaults_train(base_dir: Path) -> None:
    shutil.rmtree(base_dir / "input" / "config")
    assert run(base_dir).returncode == 0


def test_trn_04_without_any_channel_the_failure_says_so(base_dir: Path) -> None:
    shutil.rmtree(base_dir / "input")
    assert run(base_dir).returncode == 1
    assert failure_of(base_dir).startswith(
        "container.job.MissingChannel: the job has no channel 'training'; it has: none\nat train:"
    )


AUDIT = """
import runpy, sys
def audit(event, args):
    if event == "socket.connect":
        raise RuntimeError(f"connects to {args[1]}")
    if event == "open" and isinstance(args[0], str) and (isinstance(args[1], str) and set(args[1]) & set("wax+")):
        written.add(args[0])
    if event in ("os.mkdir", "os.rename", "os.remove"):
        written.add(str(args[0]))
written = set()
sys.addaudithook(audit)
try:
    runpy.run_path(sys.argv[1], run_name="__main__")
finally:
    print("WRITTEN", sorted(written))
"""


def test_trn_07_11_14_train_writes_only_where_it_may_and_needs_no_network(
    base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit hook sees every file that Python opens for writing, and every connection."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    ended = run(base_dir, sys.executable, "-c", AUDIT, str(ROOT / "train"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = eval(ended.stdout.split("WRITTEN", 1)[1].splitlines()[0])  # noqa: S307 - our own repr
    allowed = (*(str(base_dir / name) for name in ("model", "output", "checkpoints")), str(tmp_path / "tmp"))
    assert any(path.endswith("model.joblib") for path in written)
    assert [path for path in written if not path.startswith(allowed)] == []


def program(base_dir: Path, body: str) -> Path:
    """A train file whose train function has this body; the clocks of a stop are short."""
    path = base_dir.parent / "train"
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    path.write_text(
        "import signal, sys, time\nfrom pathlib import Path\nfrom container import stopping, training\n"
        f"def train(job):\n{lines}\nstopping.GRACE_S, stopping.LIMIT_S = 0.3, 0.6\ntraining.run(train)\n"
    )
    return path


class Running:
    """A train program whose output lines are waited for."""

    def __init__(self, base_dir: Path, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(path)], env=environment(base_dir), stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> None:
        stdout: IO[str] = self.process.stdout  # type: ignore[assignment]
        for line in stdout:
            self.lines.append(line)
            if text in line:
                return
        pytest.fail(f"{text!r} never came: {self.lines}")

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.lines += self.process.stdout or []
        return code


@pytest.fixture
def start(base_dir: Path) -> Iterator[Any]:
    started: list[Running] = []

    def start(body: str) -> Running:
        started.append(Running(base_dir, program(base_dir, body)))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()  # type: ignore[union-attr]


def test_trn_10_a_printed_line_leaves_at_once(start: Any) -> None:
    """Through a pipe, Python would hold it back until the end of the job."""
    running = start("print('loss=0.5')\ntime.sleep(60)")
    began = time.monotonic()
    running.wait_for("loss=0.5")
    assert time.monotonic() - began < 20


def test_trn_05_sigterm_interrupts_and_keeps_a_complete_model(start: Any, base_dir: Path) -> None:
    running = start(
        "(job.model_dir / 'model.joblib').write_bytes(b'm'); job.save_manifest(); print('saved'); time.sleep(60)"
    )
    running.wait_for("saved")
    assert running.terminate() == 0
    assert (base_dir / "model" / "model.joblib").exists()


def test_trn_05_sigterm_before_a_model_is_143(start: Any) -> None:
    running = start("print('fitting'); time.sleep(60)")
    running.wait_for("fitting")
    assert running.terminate() == 143


def test_trn_05_a_loop_that_asks_may_end_its_round_and_save(start: Any, base_dir: Path) -> None:
    running = start(
        "while not job.stopping:\n    print('epoch'); time.sleep(0.02)\n"
        "(job.model_dir / 'model.joblib').write_bytes(b'm')"
    )
    running.wait_for("epoch")
    assert running.terminate() == 0
    assert (base_dir / "model" / "manifest.json").exists()


def test_trn_05_a_loop_that_asks_but_goes_on_is_interrupted_after_the_grace(start: Any) -> None:
    running = start("job.stopping.is_set(); print('fitting'); time.sleep(60)")
    running.wait_for("fitting")
    assert running.terminate() == 143
    assert any('"event": "stopping"' in line for line in running.lines)


def test_trn_05_code_that_swallows_the_interruption_ends_at_the_limit(start: Any) -> None:
    running = start(
        "print('fitting')\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass"
    )
    running.wait_for("fitting")
    assert running.terminate() == 143


def test_trn_05_one_long_c_call_ends_at_the_limit(start: Any) -> None:
    """Python runs no signal handler inside one; SVC.fit on much data is such a call, here it waits on a lock."""
    running = start(
        "import ctypes\nsemaphore = ctypes.create_string_buffer(64)\nlibrary = ctypes.CDLL(None)\n"
        "library.sem_init(semaphore, 0, 0)\nprint('fitting')\n"
        "signal.siginterrupt(signal.SIGTERM, False)\nlibrary.sem_wait(semaphore)"
    )
    running.wait_for("fitting")
    assert running.terminate() == 143
    assert any('"event": "stopped"' in line for line in running.lines)


def test_a_child_process_is_ended_by_sigterm_without_stopping_the_job(start: Any) -> None:
    """multiprocessing.Pool ends its forked workers with SIGTERM; they inherit our handler and our socket."""
    running = start(
        "import multiprocessing\n"
        "for _ in range(20):\n"
        "    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    child.start(); child.terminate(); child.join()\n"
        "print('child', child.exitcode, job.stopping.wait(0.2))\n"
    )
    running.wait_for("child -15 False")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_class_defined_in_train_is_warned_of(base_dir: Path, protocol: int) -> None:
    """It is pickled as __main__.Scaler: "Can't get attribute 'Scaler' on <module '__main__'>" is all a server says."""
    path = program(
        base_dir,
        f"""
import pickle
global Scaler
class Scaler:
    pass
Scaler.__qualname__ = "Scaler"
(job.model_dir / "model.pkl").write_bytes(pickle.dumps([1.5, Scaler()], protocol={protocol}))
""",
    )
    ended = run(base_dir, sys.executable, str(path))
    assert ended.returncode == 0
    assert "define Scaler in predictor.py and import it in train" in ended.stdout


def test_the_shipped_model_is_not_warned_of(trained: Trained) -> None:
    assert "warning" not in trained[1].stdout


def test_trn_06_a_second_run_goes_on_from_the_checkpoint(base_dir: Path) -> None:
    path = program(
        base_dir,
        """
file = job.checkpoint_dir / "epoch"
epoch = int(file.read_text()) if file.exists() else 0
for epoch in range(epoch + 1, 5):
    file.write_text(str(epoch))
    print("epoch", epoch)
    if epoch == 2:
        raise RuntimeError("spot instance lost")
(job.model_dir / "model.txt").write_text("done")
""",
    )
    first, second = run(base_dir, sys.executable, str(path)), run(base_dir, sys.executable, str(path))
    assert (first.returncode, re.findall("epoch ([0-9])", first.stdout)) == (1, ["1", "2"])
    assert (second.returncode, re.findall("epoch ([0-9])", second.stdout)) == (0, ["3", "4"])


def test_trn_08_a_pipe_channel_is_read_once_an_epoch(base_dir: Path) -> None:
    configure(base_dir, "inputdataconfig", {"stream": {"TrainingInputMode": "Pipe"}})
    fifos = [base_dir / "input" / "data" / f"stream_{epoch}" for epoch in (0, 1)]
    for fifo in fifos:
        os.mkfifo(fifo)
    feeder = threading.Thread(target=lambda: [fifo.write_text(fifo.name) for fifo in fifos], daemon=True)
    feeder.start()
    path = program(
        base_dir,
        "(job.model_dir / 'read').write_text(' '.join(job.pipe('stream', epoch).read_text() for epoch in (0, 1)))",
    )
    assert run(base_dir, sys.executable, str(path)).returncode == 0
    assert (base_dir / "model" / "read").read_text() == "stream_0 stream_1"


RUN_PROGRAM = "import sys, pathlib; from container.training import run_program; run_program(pathlib.Path(sys.argv[1]))"


def run_as_the_image_does(base_dir: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = base_dir.parent / "train"
    path.write_text(text)
    return run(base_dir, sys.executable, "-c", RUN_PROGRAM, str(path))


def test_a_missing_package_is_in_the_failure_file_with_what_to_do(base_dir: Path) -> None:
    assert run_as_the_image_does(base_dir, "import no_such_package\n").returncode == 1
    lines = failure_of(base_dir).splitlines()
    assert lines[:2] == ["ModuleNotFoundError: No module named 'no_such_package'", "at train:1 in <module>"]
    assert lines[2].startswith("hint: add the package to requirements.txt")


def test_a_syntax_error_is_in_the_failure_file(base_dir: Path) -> None:
    assert run_as_the_image_does(base_dir, "def train(job:\n").returncode == 1
    assert "SyntaxError" in failure_of(base_dir)[:300]


def test_a_train_file_that_forgets_run_failed(base_dir: Path) -> None:
    assert run_as_the_image_does(base_dir, "def train(job): ...\n").returncode == 1
    assert "is its last line: run(train)?" in failure_of(base_dir).splitlines()[0]


def test_a_train_file_of_the_old_style_that_saves_by_itself_is_let_be(base_dir: Path) -> None:
    (base_dir / "model").mkdir()
    ended = run_as_the_image_does(base_dir, f"open('{base_dir}/model/model.pkl', 'wb').write(b'm')\n")
    assert ended.returncode == 0
    assert "train_without_run" in ended.stdout


def test_the_shipped_train_runs_the_way_the_image_runs_it(base_dir: Path) -> None:
    ended = run(base_dir, sys.executable, "-c", RUN_PROGRAM, str(ROOT / "train"))
    assert ended.returncode == 0
    assert "validation:accuracy=" in ended.stdout
