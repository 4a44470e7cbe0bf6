"""LOC: each assertion is held by the twin and broken by a faulty one, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_test.conformance import compose
from local_test.conformance.assertion import Untestable
from local_test.conformance.runner import Outcome
from local_test.conformance.server import Setup, wait_for
from local_test.conformance.subjects import Image
from tests.conformance.derived import derived
from tests.conformance.judge import Judge
from tests.image.container import docker
from tests.missing import lacks

FAULTS = ("LOC-01", "LOC-02")

COUNTER_EXAMPLES = {
    "LOC-01": "FAULT=LOC-01: it does not start on a terminal",
    "LOC-02": "FAULT=LOC-02: /ping is 200 before the model is loaded",
    "LOC-03": "an image whose BatchStrategy is MANY",
}

pytestmark = pytest.mark.usefixtures("has_compose")


@pytest.fixture
def has_compose() -> None:
    try:
        compose.program()
    except Untestable as reason:
        lacks(str(reason))


def answering(strategy: str, twin_image: str) -> str:
    """The twin with this BatchStrategy."""
    return derived(twin_image, f"RUN sed -i s/MULTI_RECORD/{strategy}/ /opt/twin/batch.py")


def test_the_twin_holds_all(judge: Judge, twin_image: str) -> None:
    verdicts = judge(["LOC"], image=answering("MultiRecord", twin_image))
    assert (verdicts.failed, verdicts.rest) == (set(), {})


def test_a_model_folder_is_copied_before_it_may_be_written_to(judge: Judge, tmp_path: Path, twin_image: str) -> None:
    """Local mode mounts it writable; the caller's own stays as it is."""
    (tmp_path / "model.bin").write_text("weights")
    image = derived(twin_image, 'ENTRYPOINT ["sh", "-c", "rm -f /opt/ml/model/model.bin; exec python /opt/twin serve"]')
    assert judge(["LOC-01", "LOC-02"], image=image, model_dir=tmp_path).held == {"LOC-01", "LOC-02"}
    assert (tmp_path / "model.bin").read_text() == "weights"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen_and_nothing_else(fault: str, judge: Judge) -> None:
    assert judge.failed(fault) == {fault}


@pytest.mark.parametrize(
    ("strategy", "outcome", "says"),
    [
        ("MultiRecord", Outcome.HELD, "local mode takes"),
        ("MULTI_RECORD", Outcome.HELD, "its caller has to say"),
        ("MANY", Outcome.NOT_TESTED, "BatchStrategy is 'MANY'"),
    ],
)
def test_the_batch_strategy_is_noted(strategy: str, outcome: Outcome, says: str, judge: Judge, twin_image: str) -> None:
    verdicts = judge(["LOC-03"], image=answering(strategy, twin_image))
    assert verdicts.ids(outcome) == {"LOC-03"}
    assert says in verdicts.says("LOC-03")


def test_nothing_is_left(twin_image: str, tmp_path: Path) -> None:
    image = Image(twin_image, Setup())
    with compose.Compose(image, tmp_path, tmp_path) as server:
        wait_for(server.is_ready, 30, "never ready")
        filters = ("--filter", f"label={compose.PROJECT}={server.project}")
        assert docker("ps", "-q", *filters)
    assert docker("ps", "-aq", *filters) + docker("network", "ls", "-q", *filters) == ""
    image.close()


def test_without_compose_it_is_said_what_is_missing(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose.shutil, "which", {}.get)
    assert "docker-compose" in judge(["LOC-01"]).rest["LOC-01"]
