"""The manifest beside an artifact: what is written is read back, and every difference is told by name."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from container import manifest
from container.errors import StartupError
from container.manifest import Manifest, Mismatch, Sample, check_files, read_manifest, version_mismatches

NUMPY = importlib.metadata.version("numpy")
SKLEARN = importlib.metadata.version("scikit-learn")


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    (tmp_path / "vocab").mkdir()
    (tmp_path / "model.joblib").write_bytes(b"model")
    (tmp_path / "vocab" / "words.bin").write_bytes(b"words")
    return tmp_path


def test_what_is_written_is_read_back(model_dir: Path) -> None:
    written = manifest.write_manifest(
        model_dir, feature_names=["größe", "b"], sample=Sample("text/csv", "1,2\n"), libraries=["numpy"]
    )
    assert read_manifest(model_dir) == written
    assert written.libraries == {"numpy": NUMPY}
    assert written.python == platform.python_version()
    assert written.feature_names == ("größe", "b")


def test_every_file_is_listed_with_its_sha256_and_size(model_dir: Path) -> None:
    written = manifest.write_manifest(model_dir, libraries=["numpy"])
    assert dict(written.files) == {
        "model.joblib": {"sha256": "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4", "bytes": 5},
        "vocab/words.bin": {"sha256": "dba36bffa5cab0f922d087a3aeb179f9d4e745df40b323e1b1471402848c8a3e", "bytes": 5},
    }


def test_code_hidden_files_and_caches_are_not_listed(model_dir: Path) -> None:
    """code/ is repacked by the SageMaker SDK after training; the others come and go with tools."""
    for name in ("code/inference.py", "._model.joblib", "vocab/__pycache__/x.pyc", ".git/HEAD"):
        (model_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (model_dir / name).write_text("x")
    assert list(manifest.write_manifest(model_dir).files) == ["model.joblib", "vocab/words.bin"]


def test_a_second_write_replaces_the_first_and_leaves_no_partial_file(model_dir: Path) -> None:
    manifest.write_manifest(model_dir)
    manifest.write_manifest(model_dir, feature_names=["a"])
    assert read_manifest(model_dir).feature_names == ("a",)  # type: ignore[union-attr]
    assert sorted(p.name for p in model_dir.iterdir()) == ["manifest.json", "model.joblib", "vocab"]


def test_only_imported_libraries_are_recorded_and_none_is_imported() -> None:
    """A scikit-learn artifact must not be refused because of another spaCy; PID 1's friends stay small."""
    code = (
        "import sys, tempfile, pathlib; from container import manifest\n"
        "import json; sys.modules['joblib'] = json\n"
        "print(list(manifest.write_manifest(pathlib.Path(tempfile.mkdtemp())).libraries))\n"
        "print('numpy' in sys.modules)"
    )
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")
    assert lines[:2] == ["['joblib']", "False"]


def test_no_manifest_is_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def test_a_short_manifest_written_by_hand_is_read(tmp_path: Path) -> None:
    sample = {"content_type": "text/plain", "body": "hello"}
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "sample": sample, "note": "mine"}))
    assert read_manifest(tmp_path) == Manifest(sample=Sample("text/plain", "hello"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "Expecting value"),
        ('{"format": 1', "line 1 column"),
        ("[]", "the file must be a JSON object"),
        ("{}", "format must be 1, not None"),
        ('{"format": 2}', "format must be 1, not 2"),
        ('{"format": 1, "libraries": {"numpy": 2}}', "libraries.numpy must be a string"),
        ('{"format": 1, "libraries": []}', "libraries must be a JSON object"),
        ('{"format": 1, "files": {"a": {"sha256": "0"}}}', "files.a must be an object with sha256 and bytes"),
        ('{"format": 1, "files": {"a": {"sha256": 0, "bytes": 1}}}', "files.a.sha256 must be a string"),
        ('{"format": 1, "files": {"../a": {"sha256": "0", "bytes": 1}}}', "must be a path inside the artifact"),
        ('{"format": 1, "files": {"/a": {"sha256": "0", "bytes": 1}}}', "must be a path inside the artifact"),
        ('{"format": 1, "feature_names": "ab"}', "feature_names must be a list of strings"),
        ('{"format": 1, "feature_names": [1]}', "feature_names must be a list of strings"),
        ('{"format": 1, "sample": {"content_type": "text/csv"}}', "sample.body must be a string"),
        ('{"format": 1, "sample": "x"}', "sample must be a JSON object"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_an_unusable_manifest_is_a_start_up_error_that_says_why(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StartupError, match=r"manifest\.json: ") as caught:
        read_manifest(tmp_path)
    assert caught.value.phase == "manifest"
    assert says in str(caught.value)


def test_binary_noise_is_a_start_up_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StartupError, match="codec"):
        read_manifest(tmp_path)


def test_an_untouched_artifact_passes_and_further_files_are_let_be(model_dir: Path) -> None:
    written = manifest.write_manifest(model_dir)
    (model_dir / "README").write_text("added later")
    check_files(written, model_dir)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"mOdel", "its sha256 is "), (b"longer", "it has 6 bytes"), (None, "the file is missing")],
)
def test_a_changed_file_is_named_with_wanted_and_found(model_dir: Path, content: bytes | None, says: str) -> None:
    written = manifest.write_manifest(model_dir)
    path = model_dir / "model.joblib"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(StartupError, match=r"^model\.joblib is not the file") as caught:
        check_files(written, model_dir)
    assert says in str(caught.value)
    assert written.files["model.joblib"]["sha256"] in str(caught.value)
    assert "SERVING_VERIFY_ARTIFACT=false" in str(caught.value)


def parts(version: str, *changes: str) -> str:
    """The version with its last parts replaced: parts("2.4.6", "5", "0") is "2.5.0"."""
    return ".".join(version.split(".")[: 3 - len(changes)] + list(changes))


@pytest.mark.parametrize(
    ("library", "version", "differs"),
    [
        ("numpy", NUMPY, False),
        ("numpy", parts(NUMPY, "99", "0"), False),
        ("numpy", "1.26.4", True),
        ("scikit-learn", parts(SKLEARN, "99"), False),
        ("scikit-learn", parts(SKLEARN, "0", "0"), True),
        ("spacy", "3.0.0", True),
        ("no-such-library", "1.0", True),
    ],
)
def test_versions_compare_by_the_parts_that_matter(library: str, version: str, differs: bool) -> None:
    """scikit-learn and spaCy break artifacts in minor versions, numpy, scipy and joblib in major ones."""
    found = version_mismatches(Manifest(libraries={library: version}))
    assert [(each.library, each.artifact_version) for each in found] == ([(library, version)] if differs else [])


def test_a_library_that_is_missing_is_said_to_be() -> None:
    found = version_mismatches(Manifest(libraries={"no-such-library": "1.0"}))
    assert found == [Mismatch("no-such-library", "1.0", "not installed")]


def test_another_python_only_warns() -> None:
    [found] = version_mismatches(Manifest(python="3.1.0"))
    assert (found.library, found.installed_version, found.only_warns) == ("python", platform.python_version(), True)
    assert not Mismatch("numpy", "1", "2").only_warns


def test_a_manifest_without_versions_has_no_mismatch() -> None:
    assert version_mismatches(Manifest()) == []
