"""From the files of an artifact to a model that serves, and every way that ends before it begins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

from container.app import create_app
from container.errors import StartupError
from container.loop import LoopLane
from container.manifest import Sample, write_manifest
from container.settings import Settings
from tests.service.conftest import SETOSA, Serve, module

ROOT = Path(__file__).parents[2]
Events = Callable[[str], list[Any]]


def load(model_dir: Path, environ: dict[str, str] | None = None, **functions: Any) -> Any:
    settings = Settings.from_environ({"SM_MODEL_DIR": str(model_dir), **(environ or {})})
    return create_app(settings, module(**functions))


@pytest.fixture
def iris_copy(iris_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(iris_dir, tmp_path / "model"))


def change_manifest(model_dir: Path, **changes: Any) -> None:
    path = model_dir / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_shipped_predictor_serves_csv_and_json_through_wsgi(iris_dir: Path) -> None:
    """In a process of its own, as gunicorn imports it; importing loads the model and starts no thread."""
    program = f"""
import json, threading
from werkzeug.test import Client
import wsgi
from container.loop import LoopLane
threads = threading.active_count()
wsgi.app.model.start(LoopLane(queue_limit=1, watchdog_s=60))
wsgi.app.model.warm_up()
client = Client(wsgi.app)
csv = client.post("/invocations", data={SETOSA!r}, content_type="text/csv").json
rows = client.post("/invocations", json={{"instances": [[6.3, 3.3, 6.0, 2.5]]}}).json
print(json.dumps([threads, csv, rows]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"SM_MODEL_DIR": str(iris_dir)}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [1, ["setosa"], ["virginica"]]


def test_loading_starts_no_thread(iris_dir: Path) -> None:
    """The process may fork afterwards, and threads do not survive that."""
    before = threading.active_count()
    load(iris_dir)
    assert threading.active_count() == before


def test_warm_up_answers_the_manifests_sample(serve: Serve, iris_dir: Path, events: Events) -> None:
    seen: list[Any] = []
    serve(iris_dir, predict_fn=lambda data, _model: seen.append(data.tolist()))
    assert seen == [[[5.1, 3.5, 1.4, 0.2]]]
    assert len(events("warmed_up")) == 1


def test_warm_up_of_a_pipeline_needs_no_sample(serve: Serve, textcat_dir: Path, events: Events) -> None:
    serve(textcat_dir)
    assert len(events("warmed_up")) == 1


def test_no_sample_means_no_warm_up_and_a_log_line_that_says_so(serve: Serve, text_dir: Path, events: Events) -> None:
    serve(text_dir)
    assert "no manifest.json with a sample" in events("not_warmed_up")[0].reason


def test_a_sample_that_fails_is_a_startup_error(iris_copy: Path) -> None:
    """Better not ready than ready and failing every request."""
    change_manifest(iris_copy, sample={"content_type": "text/csv", "body": "1,2\n"})
    app = load(iris_copy)
    app.model.start(LoopLane(queue_limit=1, watchdog_s=60))
    with pytest.raises(StartupError, match=r"sample request of manifest\.json failed.*2 columns") as told:
        app.model.warm_up()
    assert told.value.phase == "warm_up"
    app.model.close()


@pytest.mark.parametrize("error", [RuntimeError("no GPU"), SystemExit("bye")])
def test_an_error_in_model_fn_is_a_startup_error_with_its_cause(tmp_path: Path, error: BaseException) -> None:
    def model_fn(_model_dir: str) -> Any:
        raise error

    with pytest.raises(StartupError, match=str(error)) as told:
        load(tmp_path, model_fn=model_fn)
    assert (told.value.phase, told.value.__cause__) == ("load", error)


def test_a_class_pickled_in_main_gets_the_advice_with_a_model_fn_of_the_user_too(tmp_path: Path) -> None:
    """Pain 11: the model loads in the notebook and not under gunicorn."""
    path = tmp_path / "model.joblib"
    script = f"import joblib\nclass Doubler: pass\njoblib.dump(Doubler(), {str(path)!r})"
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(StartupError, match="move the class into a module under code/"):
        load(tmp_path, model_fn=lambda model_dir: joblib.load(Path(model_dir) / "model.joblib"))


def test_a_class_in_a_module_under_code_is_found(tmp_path: Path, serve: Serve) -> None:
    """What that advice leads to."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "doubling.py").write_text("class Doubler:\n    def predict(self, x): return x * 2\n")
    script = f"import sys, joblib\nsys.path.insert(0, {str(tmp_path / 'code')!r})\nfrom doubling import Doubler\n"
    script += f"joblib.dump(Doubler(), {str(tmp_path / 'model.joblib')!r})"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert serve(tmp_path).post("/invocations", json=[[1, 2]]).json == [[2.0, 4.0]]


def test_a_model_without_predict_needs_a_predict_fn(tmp_path: Path) -> None:
    with pytest.raises(
        StartupError,
        match=r"the model is of type dict, which has no predict method, nor transform; write predict_fn\(data, model\)",
    ):
        load(tmp_path, model_fn=lambda _model_dir: {})


def test_a_changed_file_is_refused(iris_copy: Path) -> None:
    with (iris_copy / "model.joblib").open("ab") as file:
        file.write(b"x")
    with pytest.raises(StartupError, match=r"model\.joblib") as told:
        load(iris_copy)
    assert told.value.phase == "manifest"


def test_a_changed_file_is_served_if_so_set(iris_copy: Path) -> None:
    with (iris_copy / "model.joblib").open("ab") as file:
        file.write(b"x")
    assert load(iris_copy, {"SERVING_VERIFY_ARTIFACT": "false"}).model is not None


def test_an_artifact_of_another_library_version_is_refused_with_the_pin_to_use(iris_copy: Path) -> None:
    change_manifest(iris_copy, libraries={"scikit-learn": "1.2.0"})
    with pytest.raises(
        StartupError, match=r"made with scikit-learn 1\.2\.0, installed is .* pin scikit-learn==1\.2\.0"
    ):
        load(iris_copy)


def test_an_artifact_of_another_library_version_is_served_if_so_set(iris_copy: Path, events: Events) -> None:
    change_manifest(iris_copy, libraries={"scikit-learn": "1.2.0"})
    load(iris_copy, {"SERVING_VERSION_MISMATCH": "warn"})
    assert "scikit-learn 1.2.0" in events("version_mismatch")[0].detail


def test_another_python_only_warns(iris_copy: Path, events: Events) -> None:
    change_manifest(iris_copy, python="3.8.1")
    load(iris_copy)
    assert "python 3.8.1" in events("version_mismatch")[0].detail


def test_the_log_says_which_file_serves_which_step(iris_dir: Path, events: Events) -> None:
    load(iris_dir, predict_fn=lambda data, model: model.predict(data))
    assert events("model_loaded")[0].handlers == {
        "model_fn": "default", "input_fn": "default", "predict_fn": "predictor.py", "output_fn": "default",
    }  # fmt: skip


def test_the_manifests_names_serve_a_model_that_has_none(serve: Serve, text_dir: Path, tmp_path: Path) -> None:
    """A model of the user's own class: only train knows its columns."""
    model_dir = Path(shutil.copytree(text_dir, tmp_path / "model"))
    write_manifest(model_dir, feature_names=["a", "b"], sample=Sample("text/csv", "1,2\n"), libraries=["joblib"])
    client = serve(model_dir, predict_fn=lambda data, _model: data)
    assert client.post("/invocations", data="b,a\n1,2\n", content_type="text/csv").json == [[2.0, 1.0]]
