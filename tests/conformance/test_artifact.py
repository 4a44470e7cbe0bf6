"""PKG: each assertion is held by a plain artifact and broken by a faulty one, and by no other."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from local_test.conformance.assertion import Claim
from local_test.conformance.members import Kind, Unreadable, key_faults, of_archive, of_folder
from tests.conformance.derived import derived
from tests.conformance.judge import Judge, on_paper

SCRIPT = "def model_fn(model_dir):\n    return None\n"
SCRIPTS = frozenset({Claim.SCRIPTS})
PLAIN = {"model.bin": "weights", "code/inference.py": SCRIPT}
AT_HAND = {"code/requirements.txt": "pip\n"}

Make = Callable[[Path], Path]
"""Makes an artifact below a folder."""


def packed(files: dict[str, str], name: str = "model.tar.gz", *, link: str = "") -> Make:
    def make(folder: Path) -> Path:
        with tarfile.open(folder / name, "w:gz") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(text)
                archive.addfile(member, BytesIO(text.encode()))
            if link:
                member = tarfile.TarInfo("link.bin")
                member.type, member.linkname = tarfile.SYMTYPE, link
                archive.addfile(member)
        return folder / name

    return make


def laid_out(files: dict[str, str]) -> Make:
    def make(folder: Path) -> Path:
        for name, text in files.items():
            path = folder / "model" / os.fsdecode(os.fsencode(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder / "model"

    return make


MISPLACED = {"model.bin": "", "inference.py": SCRIPT}
FAULTY = {
    "PKG-01": packed(PLAIN, "model.tgz"),
    "PKG-02": packed(PLAIN, link="model.bin"),
    "PKG-03": packed({"model/model.bin": "weights"}),
    "PKG-04": packed(MISPLACED),
    "PKG-05": packed({**PLAIN, "code/requirements.txt": "conformance-has-no-such-package==1\n"}),
    "PKG-06": packed({**PLAIN, "code/__pycache__/inference.cpython-311.pyc": ""}),
    "PKG-07": laid_out({**PLAIN, "model-\udcff.bin": ""}),
}

COUNTER_EXAMPLES = {
    "PKG-01": "an archive named model.tgz",
    "PKG-02": "an archive with a symbolic link",
    "PKG-03": "an archive with one folder",
    "PKG-04": "an archive with inference.py beside the model",
    "PKG-05": "a requirement that is not in the image",
    "PKG-06": "an archive with __pycache__",
    "PKG-07": "a folder with a file whose name is not UTF-8",
}


def test_a_plain_archive_holds_all(judge: Judge, tmp_path: Path) -> None:
    verdicts = judge(["PKG"], artifact=packed(PLAIN | AT_HAND)(tmp_path))
    assert (verdicts.failed, verdicts.rest.keys()) == (set(), {"PKG-07"})


def test_a_plain_folder_holds_all(tmp_path: Path) -> None:
    verdicts = on_paper(["PKG"], claims=SCRIPTS, artifact=laid_out(PLAIN)(tmp_path))
    assert (verdicts.failed, verdicts.rest.keys()) == (set(), {"PKG-01"})


def test_a_model_folder_alone_is_looked_at_as_if_it_were_packed(tmp_path: Path) -> None:
    verdicts = on_paper(["PKG"], claims=SCRIPTS, model_dir=laid_out({**PLAIN, "._model.bin": ""})(tmp_path))
    assert (verdicts.failed, verdicts.rest.keys()) == ({"PKG-06"}, {"PKG-01", "PKG-07"})


def test_without_an_artifact_the_option_is_named() -> None:
    assert all("--artifact" in reason for reason in on_paper(["PKG"], claims=SCRIPTS).rest.values())


@pytest.mark.parametrize("fault", sorted(FAULTY.keys() - {"PKG-05"}))
def test_a_fault_is_seen_and_nothing_else(fault: str, tmp_path: Path) -> None:
    assert on_paper(["PKG"], claims=SCRIPTS, artifact=FAULTY[fault](tmp_path)).failed == {fault}


def test_a_requirement_to_be_fetched_is_seen_and_nothing_else(judge: Judge, tmp_path: Path) -> None:
    assert judge(["PKG"], artifact=FAULTY["PKG-05"](tmp_path)).failed == {"PKG-05"}


def test_a_cut_archive_is_seen_once(tmp_path: Path) -> None:
    path = packed({"model.bin": os.urandom(50_000).hex()})(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert on_paper(["PKG"], artifact=path).failed == {"PKG-01"}


def test_a_script_may_be_named(tmp_path: Path) -> None:
    model = {"PrimaryContainer": {"Environment": {"SAGEMAKER_PROGRAM": "mine.py"}}}
    (tmp_path / "CreateModel.json").write_text(json.dumps(model))
    path = packed({"model.bin": "", "code/mine.py": SCRIPT})(tmp_path)
    assert on_paper(["PKG-04"], claims=SCRIPTS, artifact=path).failed == {"PKG-04"}
    assert on_paper(["PKG-04"], claims=SCRIPTS, artifact=path, requests_dir=tmp_path).held == {"PKG-04"}


def test_an_image_without_pip_is_said_so(judge: Judge, tmp_path: Path, twin_image: str) -> None:
    image = derived(twin_image, "RUN rm -r /usr/local/lib/python3*/site-packages/pip")
    verdicts = judge(["PKG-05"], artifact=packed(PLAIN | AT_HAND)(tmp_path), image=image)
    assert "no pip" in verdicts.rest["PKG-05"]


def test_an_s3_prefix_ends_in_a_slash(tmp_path: Path) -> None:
    source = {"S3DataSource": {"S3Uri": "s3://bucket/model", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    (tmp_path / "CreateModel.json").write_text(json.dumps({"PrimaryContainer": {"ModelDataSource": source}}))
    verdicts = on_paper(["PKG-07"], artifact=laid_out(PLAIN)(tmp_path), requests_dir=tmp_path)
    assert "a prefix ends in /" in verdicts.says("PKG-07")


@pytest.mark.parametrize(
    "keys",
    [["a//b"], ["/a"], ["a/"], ["a/./b"], ["../a"], ["a\0"], ["a" * 256], ["a/" * 512 + "b"], ["\udcff"], ["a", "a/b"]],
)
def test_a_key_that_cannot_be_a_file_is_a_fault(keys: list[str]) -> None:
    """A folder object of the S3 console is the key "a/"."""
    assert list(key_faults(keys))


def test_keys_that_can_be_files_are_none() -> None:
    assert list(key_faults(["a", "b/c", "b/d/e", "ä/" + "x" * 255])) == []


def test_what_leads_elsewhere_is_seen(tmp_path: Path) -> None:
    for name in ("../model.bin", "/model.bin"):
        path = packed({name: "", "model.bin": ""})(tmp_path)
        os.utime(path, ns=(0, hash(name) % 10**15))
        assert on_paper(["PKG-02"], artifact=path).failed == {"PKG-02"}


def test_a_folders_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert [each.kind for each in of_folder(tmp_path)] == [Kind.SYMBOLIC_LINK, Kind.DEVICE]


def test_a_plain_tar_is_not_read_as_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("model.bin"))
    with pytest.raises(Unreadable, match="not compressed"):
        of_archive(path)
