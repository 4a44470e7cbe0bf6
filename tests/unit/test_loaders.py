"""Finding and loading the model of an artifact, and the words for when that fails."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import pytest
import skops.io
import spacy
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from container.errors import StartupError
from container.loaders import advice, explained, load_default, tree, version_warnings
from container.settings import Settings

MODEL = DummyClassifier(strategy="most_frequent").fit([[0], [1], [2]], ["a", "b", "b"])


def load(model_dir: Path, **environ: str) -> Any:
    return load_default(model_dir, Settings.from_environ({"SM_MODEL_DIR": str(model_dir), **environ}))


def write_pipeline(folder: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(folder)


@pytest.mark.parametrize("name", ["model.joblib", "classifier.pkl", "1/model.joblib"])
def test_the_one_model_file_is_loaded_by_whatever_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    joblib.dump(MODEL, tmp_path / name)
    assert load(tmp_path).predict([[5]]).tolist() == ["b"]


def test_a_plain_pickle_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(MODEL))
    assert load(tmp_path).predict([[5]]).tolist() == ["b"]


def test_a_skops_file_is_loaded(tmp_path: Path) -> None:
    skops.io.dump(MODEL, tmp_path / "model.skops")
    assert load(tmp_path).predict([[5]]).tolist() == ["b"]


def test_a_skops_file_with_unknown_types_is_refused_by_their_names(tmp_path: Path) -> None:
    """skops' point is that loading runs no code that nobody named."""
    skops.io.dump(make_pipeline(FunctionTransformer(subprocess.list2cmdline), MODEL), tmp_path / "model.skops")
    with pytest.raises(StartupError, match=r"subprocess\.list2cmdline.*trusted="):
        load(tmp_path)


@pytest.mark.parametrize("folder", [".", "pipeline"])
def test_a_spacy_pipeline_is_loaded_from_the_artifact_or_one_folder_in_it(folder: str, tmp_path: Path) -> None:
    write_pipeline(tmp_path / folder)
    assert load(tmp_path).pipe_names == ["sentencizer"]


def test_excluded_pipes_are_not_loaded(tmp_path: Path) -> None:
    write_pipeline(tmp_path)
    assert load(tmp_path, SERVING_SPACY_EXCLUDE="sentencizer").pipe_names == []


def test_excluding_a_pipe_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    write_pipeline(tmp_path)
    with pytest.raises(StartupError, match="names parser, which the pipeline does not have; it has: sentencizer"):
        load(tmp_path, SERVING_SPACY_EXCLUDE="parser,sentencizer")


def test_several_models_are_an_error_that_lists_the_tree(tmp_path: Path) -> None:
    joblib.dump(MODEL, tmp_path / "old.joblib")
    (tmp_path / "new").mkdir()
    joblib.dump(MODEL, tmp_path / "new" / "model.joblib")
    with pytest.raises(StartupError, match=r"holds 2 models.*Found: new/, new/model\.joblib, old\.joblib") as told:
        load(tmp_path)
    assert told.value.phase == "load"


def test_no_model_is_an_error_that_lists_the_tree(tmp_path: Path) -> None:
    (tmp_path / "model.h5").touch()
    with pytest.raises(StartupError, match=r"holds no model.*Found: model\.h5"):
        load(tmp_path)


def test_an_empty_and_a_missing_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="Found: nothing"):
        load(tmp_path)
    with pytest.raises(StartupError, match="the folder does not exist"):
        load(tmp_path / "missing")


def test_the_users_code_folder_is_not_searched(tmp_path: Path) -> None:
    """Pickles there are the user code's own business."""
    (tmp_path / "code").mkdir()
    joblib.dump(MODEL, tmp_path / "code" / "vocabulary.pkl")
    joblib.dump(MODEL, tmp_path / "model.joblib")
    assert load(tmp_path).predict([[5]]).tolist() == ["b"]


def test_a_long_listing_is_cut(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number:03}.bin").touch()
    assert tree(tmp_path).endswith("039.bin, and 60 more")


def test_a_library_that_is_not_installed_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skops.io.dump(MODEL, tmp_path / "model.skops")
    for name in [name for name in sys.modules if name.partition(".")[0] == "skops"]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "skops":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(StartupError, match=r"model\.skops needs skops.*Add skops to requirements\.txt"):
        load(tmp_path)


def pickled_in_main(tmp_path: Path) -> Path:
    """A pickle whose class a script defined, as a notebook does."""
    path = tmp_path / "model.joblib"
    script = f"import joblib\nclass Doubler: pass\njoblib.dump(Doubler(), {str(path)!r})"
    subprocess.run([sys.executable, "-c", script], check=True)
    return path


def test_a_class_pickled_in_main_gets_the_advice_to_move_it(tmp_path: Path) -> None:
    pickled_in_main(tmp_path)
    with (
        pytest.raises(StartupError, match=r"Doubler.*move the class into a module under code/") as told,
        explained("load", "model_fn failed"),
    ):
        load(tmp_path)
    assert isinstance(told.value.__cause__, AttributeError)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.joblib", b""),
        ("model.pkl", b""),
        ("model.joblib", b"hello world"),
        ("model.joblib", b"version https://git-lfs.github.com/spec/v1\n"),
        ("model.joblib", b"\x80\x04\x95\xff\x00"),
        ("model.skops", b"no zip"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_what_to_do(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with (
        pytest.raises(StartupError, match=rf"{name} was read\. The model file is cut, damaged"),
        explained("load", "model_fn (default) failed"),
    ):
        load(tmp_path)


def test_a_cut_model_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    joblib.dump(MODEL, tmp_path / "model.joblib", compress=3)
    content = (tmp_path / "model.joblib").read_bytes()
    (tmp_path / "model.joblib").write_bytes(content[: len(content) // 2])
    with (
        pytest.raises(StartupError, match=r"model\.joblib was read\. The model file is cut"),
        explained("load", "model_fn (default) failed"),
    ):
        load(tmp_path)


def test_a_module_of_another_library_version_gets_the_advice_to_pin() -> None:
    error = ModuleNotFoundError("No module named 'sklearn.externals.joblib'", name="sklearn.externals.joblib")
    assert advice(error).startswith("The artifact needs another version of scikit-learn than the installed one")


def test_a_missing_library_of_the_system_gets_the_advice_to_install_it() -> None:
    """lightgbm's wheel leaves OpenMP to the system."""
    error = OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
    assert "install Debian's package for it" in advice(error)


def test_an_unknown_module_gets_the_advice_to_add_it() -> None:
    error = ModuleNotFoundError("No module named 'mine'", name="mine")
    assert advice(error) == (
        "Add mine to requirements.txt and build the image again; if mine is your own, put it under code/"
    )


def warn(saved: str, current: str = "1.9.1") -> None:
    warnings.warn(
        InconsistentVersionWarning(
            estimator_name="Ridge", current_sklearn_version=current, original_sklearn_version=saved
        ),
        stacklevel=1,
    )


def test_an_artifact_of_another_scikit_learn_is_refused_with_both_versions() -> None:
    """It would load, and might answer wrongly."""
    told = r"Ridge was saved with scikit-learn 1\.1\.0, installed is 1\.9\.1.*SERVING_VERSION_MISMATCH=warn"
    with pytest.raises(StartupError, match=told), version_warnings("error"):
        warn("1.1.0")


def test_an_artifact_of_another_scikit_learn_is_served_with_a_named_warning_if_so_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING), version_warnings("warn"):
        warn("1.1.0")
        warn("1.1.0")
    assert [(record.message, record.detail) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("version_mismatch", "Ridge was saved with scikit-learn 1.1.0, installed is 1.9.1")
    ]


def test_another_patch_release_only_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), version_warnings("error"):
        warn("1.9.0")
    assert [record.message for record in caplog.records] == ["version_mismatch"]


def test_a_spacy_pipeline_of_another_version_is_refused(tmp_path: Path) -> None:
    write_pipeline(tmp_path)
    meta = tmp_path / "meta.json"
    meta.write_text(meta.read_text().replace(f">={spacy.__version__}", ">=2.0.0").replace("<3.9.0", "<2.1.0"))
    with pytest.raises(StartupError, match="W095"), version_warnings("error"):
        load(tmp_path)


def test_a_load_that_fails_names_the_version_that_may_be_why() -> None:
    def load_old() -> None:
        with version_warnings("warn"):
            warn("1.1.0")
            raise KeyError(0)

    told = r"KeyError: 0\. Ridge was saved with scikit-learn 1\.1\.0"
    with pytest.raises(StartupError, match=told), explained("load", "model_fn failed"):
        load_old()


def test_other_warnings_pass() -> None:
    with pytest.warns(UserWarning, match="heed me"), version_warnings("error"):
        warnings.warn("heed me", stacklevel=1)
