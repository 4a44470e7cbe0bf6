"""A real profile of a moment, and whose lines the time of made stacks is counted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import profile
from bench.environments import BUILD_DIR
from bench.frames import by_line, parse_stacks
from tests.bench.conftest import python

STACKS = """\
serve (/srv/container/worker.py:9);invoke (/srv/container/model.py:3);predict_fn (/srv/predictor.py:2) 30
serve (/srv/container/worker.py:9);predict_fn (/srv/predictor.py:2);predict (/usr/lib/site-packages/sk.py:7) 50
serve (/srv/container/worker.py:9);helper (/art/code/inference.py:5) 10
run (/srv/.venv/lib/site-packages/gunicorn/app.py:1) 10
"""


def test_a_profile_names_stages_and_the_users_line(models: Path, tools: Path) -> None:
    """On the benchmark's own forest, where the model's line takes nearly all."""
    ran = python("bench.profile", "--model-dir", models / "rf", "--seconds", 1, "--connections", 4)
    if ran.stderr.endswith(f"{profile.NOT_ALLOWED}\n"):
        pytest.skip(profile.NOT_ALLOWED)
    assert ran.returncode == 0, ran.stderr
    stages = {line.split(" ")[0] for line in ran.stdout.splitlines()}
    assert {"queue", "decode", "predict", "encode", "rest"} <= stages
    mine = next(line for line in ran.stdout.splitlines() if "  yours  " in line)
    assert mine.endswith("predict_fn  return model.predict(data)")
    assert float(mine.split("%")[0]) > 50
    assert "<svg" in (BUILD_DIR / "profile/flame.svg").read_text()


def test_a_model_without_a_sample_request_needs_a_payload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert profile.main(["--model-dir", str(tmp_path)]) == 2
    told = f"profile: {tmp_path} has no manifest.json with a sample request; name a file with PAYLOAD=\n"
    assert capsys.readouterr().err == told
    assert profile.main(["--payload", str(tmp_path / "none")]) == 2


def test_time_counts_for_the_innermost_line_that_is_yours_or_ours() -> None:
    """Libraries count for the line that called them, also those that lie below the program's folder."""
    lines = by_line(parse_stacks(STACKS), [Path("/srv"), Path("/art")])
    assert [(each.share, each.owner, each.place) for each in lines] == [
        (80.0, "yours", "predictor.py:2 predict_fn"),
        (10.0, "yours", "inference.py:5 helper"),
        (10.0, "other", "gunicorn, Python and libraries alone"),
    ]


def test_a_thread_that_only_waits_for_work_is_not_counted_but_your_waiting_is(tmp_path: Path) -> None:
    for name in ("container", "art"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lane.py").write_text("done.acquire()\nnumber = 1\n")
    ours, yours = tmp_path / "container/lane.py", tmp_path / "art/lane.py"
    stacks = parse_stacks(f"wait ({ours}:1) 70\nrun ({ours}:2) 10\nask ({ours}:2);wait ({yours}:1) 30\n")
    lines = by_line(stacks, [tmp_path, tmp_path / "art"])
    assert [(each.share, each.owner, each.source) for each in lines] == [
        (75.0, "yours", "done.acquire()"),
        (25.0, "ours", "number = 1"),
    ]
