"""The text of /metrics: read by Prometheus's own parser, summed over processes, and none of a dead one is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from container.exposition import FILE, Exposition
from container.tally import HISTOGRAMS, Tally

ANSWERED = """
import sys
from pathlib import Path
from container.tally import Tally
tally = Tally()
tally.open(Path(sys.argv[1]))
tally.add(200, (None, None, 3.0, None, 20.0, 3), (2, 10, None))
"""


def numbers(run_dir: Path, exposition: Exposition | None = None) -> dict[str, float]:
    """Sample -> value, labels included."""
    (exposition or Exposition(run_dir)).write([], 0)
    families = list(parse((run_dir / FILE).read_text()))
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    return {f"{each.name}{''.join(sorted(each.labels.values()))}": each.value for each in samples}


def answer_elsewhere(run_dir: Path) -> None:
    """A process that counts one request, and ends."""
    subprocess.run([sys.executable, "-c", ANSWERED, str(run_dir)], check=True)


def test_a_fresh_server_has_every_family_and_no_request(tmp_path: Path) -> None:
    found = numbers(tmp_path)
    assert found["serving_request_seconds_count"] == found["serving_rows_total"] == 0
    assert found["serving_start_time_seconds"] == pytest.approx(time.time(), abs=60)
    assert not any(name.startswith("serving_requests_total") for name in found)


def test_processes_are_summed_and_those_that_ended_stay_counted(tmp_path: Path) -> None:
    own = Tally()
    own.open(tmp_path)
    own.add(200, (None, None, 2.0), (5, None, None))
    own.add(422, (None, None, None), (None, None, None))
    answer_elsewhere(tmp_path)
    exposition = Exposition(tmp_path)
    found = numbers(tmp_path, exposition)
    assert (found["serving_requests_total200"], found["serving_requests_total422"]) == (2, 1)
    assert (found["serving_rows_total"], found["serving_bytes_in_total"]) == (7, 10)
    assert len(list(tmp_path.glob("tally-*"))) == 1, "only the living one has a file"
    exposition._written_s = -60
    assert numbers(tmp_path, exposition) == found


def test_a_value_on_a_bound_belongs_to_that_bucket(tmp_path: Path) -> None:
    """Buckets are cumulative: le means less or equal."""
    tally = Tally()
    tally.open(tmp_path)
    for milliseconds in (5.0, 5.1, 1_000_000.0):
        tally.add(200, (None, None, None, None, milliseconds), (None, None, None))
    found = numbers(tmp_path)
    assert [found[f"serving_request_seconds_bucket{bound}"] for bound in ("0.0025", "0.005", "0.01", "60", "+Inf")] == [
        0, 1, 2, 2, 3,
    ]  # fmt: skip
    assert found["serving_request_seconds_sum"] == pytest.approx(1000.0101)


def test_what_nginx_answers_is_counted_by_its_weight(tmp_path: Path) -> None:
    exposition = Exposition(tmp_path)
    exposition.add(503, 100)
    exposition.add(413, 1)
    found = numbers(tmp_path, exposition)
    assert (found["serving_requests_total503"], found["serving_requests_total413"]) == (100, 1)


def test_it_is_written_once_a_second(tmp_path: Path) -> None:
    exposition = Exposition(tmp_path)
    exposition.write([], 0)
    exposition.write([], 2)
    assert "serving_workers_ready 0\n" in (tmp_path / FILE).read_text()


def test_bounds_rise() -> None:
    assert all(sorted(set(bounds)) == list(bounds) for bounds in HISTOGRAMS.values())
