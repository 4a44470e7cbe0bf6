"""TRN-*: `docker run IMAGE train`, without a network and hardened. Ids: docs/contract.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.image.conftest import training_dir, training_options
from tests.image.container import Container, docker

Run = Callable[..., Container]


def test_trn_01_and_14_trains_without_a_network_and_leaves_the_model(trained: Path) -> None:
    """The fixture did it, and saw exit code 0."""
    assert {path.name for path in (trained / "model").iterdir()} == {"model.joblib", "manifest.json"}
    assert not (trained / "output" / "failure").exists()


def test_trn_02_bad_hyperparameter_is_a_failure_that_names_it(run: Run, tmp_path: Path) -> None:
    base_dir = training_dir(tmp_path)
    (base_dir / "input" / "config" / "hyperparameters.json").write_text(json.dumps({"C": "often"}))
    container = run(command=("train",), network="none", options=training_options(base_dir), expect=("often",))
    assert container.wait_exit(60) == 1
    assert "C='often'" in (base_dir / "output" / "failure").read_text()[:1024]


def test_trn_11_writes_nothing_outside_of_model_output_and_tmp(run: Run, tmp_path: Path) -> None:
    """With a writable root, so that it could."""
    base_dir = training_dir(tmp_path)
    container = run(command=("train",), network="none", options=("-v", f"{base_dir}:/opt/ml"))
    assert container.wait_exit(60) == 0
    changed = [line.split(maxsplit=1)[1] for line in docker("diff", container.name).splitlines()]
    assert [path for path in changed if not re.match(r"/opt$|/opt/ml(/|$)|/tmp(/|$)", path)] == []


def test_trn_12_platform_may_name_the_program_itself(run: Run, tmp_path: Path) -> None:
    """ContainerEntrypoint replaces ours, and then no `train` is passed."""
    base_dir = training_dir(tmp_path)
    options = (*training_options(base_dir), "--entrypoint", "train")
    assert run(command=(), network="none", options=options).wait_exit(60) == 0


def test_trn_13_what_was_trained_is_served_by_the_same_image(sample: Container) -> None:
    reply = sample.invoke(b"6.3,2.7,4.9,1.8\n", "text/csv")
    assert (reply.status, reply.json()) == (200, ["virginica"])
