"""python -m deploy package: what lands in S3, and what a second run leaves undone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from deploy.aws import Aws
from deploy.packing import archive, trial
from deploy.placeholders import PLACEHOLDERS
from tests.deploy.double import Double, Fault
from tests.deploy.environment import REGION
from tests.dockerfile import ROOT

BUCKET = f"sagemaker-{REGION}-123456789012"


@pytest.fixture(scope="session")
def one_aws() -> Aws:
    return Aws(REGION)


@pytest.fixture
def aws(double: Double, one_aws: Aws) -> Aws:
    """With the bucket that SageMaker's tools use."""
    one_aws.call("s3", "CreateBucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    double.calls.clear()
    return one_aws


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "churn"
    (model / "code").mkdir(parents=True)
    (model / "model.bin").write_bytes(os.urandom(1000))
    (model / "code" / "inference.py").write_text("x = 1\n")
    return model


def package(folder: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, Any]:
    """The exit code, and what is told as JSON."""
    from deploy import __main__ as command
    from deploy.verbs import package as verb

    monkeypatch.setattr(verb, "Aws", lambda _: aws)
    monkeypatch.chdir(folder.parent)
    with redirect_stdout(io.StringIO()) as told:
        code = command.main(["package", str(folder), "--output", "json", *words])
    return code, json.loads(told.getvalue())


def body(aws: Aws, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = aws.call("s3", "GetObject", Bucket=bucket, Key=key)["Body"].read()
    return content


def test_archive_lies_under_the_name_of_its_content(folder: Path, aws: Aws, monkeypatch: Any) -> None:
    code, told = package(folder, aws, monkeypatch)
    assert (code, told["artifact"].startswith(f"s3://{BUCKET}/churn/")) == (0, True)
    assert told["artifact"].endswith("/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(body(aws, told["artifact"]))) as tar:
        assert tar.getnames() == ["code/inference.py", "model.bin"]


def test_second_run_packs_and_uploads_nothing(folder: Path, aws: Aws, double: Double, monkeypatch: Any) -> None:
    first = package(folder, aws, monkeypatch)
    double.calls.clear()
    monkeypatch.setattr(archive, "write", None)
    assert package(folder, aws, monkeypatch) == first
    assert double.changes == []


def test_large_archive_goes_in_parts(folder: Path, aws: Aws, double: Double, monkeypatch: Any) -> None:
    (folder / "model.bin").write_bytes(os.urandom(9 << 20))
    _, told = package(folder, aws, monkeypatch, "--level", "0", "--to", f"s3://{BUCKET}/models/")
    assert double.changes.count("s3:UploadPart") == 2
    assert told["artifact"].startswith(f"s3://{BUCKET}/models/")
    assert len(body(aws, told["artifact"])) > 9 << 20


def test_upload_that_breaks_off_leaves_nothing(folder: Path, aws: Aws, double: Double, monkeypatch: Any) -> None:
    (folder / "model.bin").write_bytes(os.urandom(9 << 20))
    double.faults.on("UploadPart", Fault("AccessDenied", "no", 403))
    code, told = package(folder, aws, monkeypatch, "--level", "0")
    assert (code, "no (AccessDenied)" in told["error"]["reason"]) == (1, True), told
    assert "s3:AbortMultipartUpload" in double.changes
    assert aws.call("s3", "ListObjectsV2", Bucket=BUCKET)["KeyCount"] == 0


def test_uncompressed_files_lie_below_one_prefix(folder: Path, aws: Aws, double: Double, monkeypatch: Any) -> None:
    _, told = package(folder, aws, monkeypatch, "--uncompressed")
    assert told["artifact"].endswith("/files/")
    assert body(aws, told["artifact"] + "model.bin") == (folder / "model.bin").read_bytes()
    double.calls.clear()
    assert package(folder, aws, monkeypatch, "--uncompressed")[1] == told
    assert double.changes == []


def test_uncompressed_upload_goes_on_where_it_was(folder: Path, aws: Aws, double: Double, monkeypatch: Any) -> None:
    _, told = package(folder, aws, monkeypatch, "--uncompressed")
    key = told["artifact"].removeprefix(f"s3://{BUCKET}/") + "model.bin"
    aws.call("s3", "DeleteObject", Bucket=BUCKET, Key=key)
    double.calls.clear()
    package(folder, aws, monkeypatch, "--uncompressed")
    assert double.changes == ["s3:PutObject"]


def test_missing_bucket_is_named_before_anything_is_tried_or_packed(folder: Path, aws: Aws, monkeypatch: Any) -> None:
    monkeypatch.setattr(archive, "write", None)
    monkeypatch.setattr(trial, "serve", None)
    code, told = package(folder, aws, monkeypatch, "--to", "s3://other/", "--image", "image")
    assert (code, told["error"]["reason"]) == (1, "There is no bucket other.")


def test_pickle_of_a_script_is_refused_before_any_call(
    folder: Path, aws: Aws, double: Double, monkeypatch: Any
) -> None:
    (folder / "model.pkl").write_bytes(b"c__main__\nModel\n.")
    code, told = package(folder, aws, monkeypatch)
    assert (code, "model.pkl names __main__.Model" in told["error"]["reason"]) == (1, True)
    assert double.calls == []


DOCKER = """#!/bin/sh
echo "$@" >>{log}
case "$1" in image) exit {inspect};; *) exit {version};; esac
"""
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serving@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("words", "image", "inspect", "version", "told"),
    [
        ((), IMAGE, 0, 0, f"{IMAGE} is ready with it after 1.5 s"),
        (("--no-trial",), IMAGE, 0, 0, "not tried in an image: --no-trial"),
        (("--image", "other"), IMAGE, 1, 1, "other is ready with it after 1.5 s"),
        ((), IMAGE, 1, 0, f"not tried in an image: {IMAGE} is not on this machine; `docker pull` it"),
        ((), IMAGE, 0, 1, "not tried in an image: the Docker engine does not answer"),
        ((), "", 0, 0, "not tried in an image: none is named"),
        ((), PLACEHOLDERS["image"], 0, 0, "not tried in an image: none is named"),
    ],
)
def test_image_of_the_file_is_tried_where_it_can_be_and_else_it_is_told_why_not(
    words: tuple[str, ...], image: str, inspect: int, version: int, told: str, folder: Path, aws: Aws, monkeypatch: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What the trial itself does is in tests/image/test_package.py."""
    docker = folder.parent / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(inspect=inspect, version=version, log=folder.parent / "log"))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=os.pathsep)
    monkeypatch.setattr(trial, "serve", lambda *_, **__: 1.5)
    (folder.parent / "deploy.toml").write_text(f'image = "{image}"\n' if image else "")
    assert package(folder, aws, monkeypatch, *words)[0] == 0
    assert told in capsys.readouterr().err
    log = folder.parent / "log"
    assert "pull" not in (log.read_text() if log.exists() else "")


def test_machine_without_docker_is_told(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert trial.impossible(IMAGE) == "docker is not installed"


def test_what_a_link_leads_to_outside_is_named(folder: Path, aws: Aws, monkeypatch: Any, capsys: Any) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    assert package(folder, aws, monkeypatch)[0] == 0
    assert "outside of it is packed too: link -> /etc/passwd" in capsys.readouterr().err


def test_archive_alone_needs_no_aws_and_no_boto3(folder: Path, environment: dict[str, str]) -> None:
    """A laptop without an account can still make one."""
    out = folder.parent / "model.tar.gz"
    program = "import sys; sys.modules['boto3'] = None; from deploy.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "package", str(folder), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert tarfile.is_tarfile(out)


@pytest.mark.parametrize("out", ["nofolder/model.tar.gz", "churn", "churn/model.bin/x", "/proc/model.tar.gz"])
def test_place_where_no_archive_can_be_is_told_before_anything_is_read(
    out: str, folder: Path, aws: Aws, double: Double, monkeypatch: Any
) -> None:
    monkeypatch.setattr("deploy.verbs.package.members", None)
    code, told = package(folder, aws, monkeypatch, "--out", out)
    assert (code, "--out" in told["error"]["next_step"]) == (1, True)
    reason = f"{Path(out)} is a folder." if out == "churn" else f"{out} cannot be written: "
    assert told["error"]["reason"].startswith(reason)
    assert not list(folder.parent.rglob("*.part"))


def test_region_that_is_no_text_is_told(folder: Path, aws: Aws, monkeypatch: Any) -> None:
    (folder.parent / "deploy.toml").write_text("region = 3\n")
    code, told = package(folder, aws, monkeypatch, "--file", str(folder.parent / "deploy.toml"))
    assert (code, "region has to be a string, not 3" in told["error"]["reason"]) == (1, True)


def test_disk_that_is_full_is_told_and_leaves_no_part_of_an_archive(folder: Path, environment: dict[str, str]) -> None:
    """A limit on the size of files, which refuses the same write."""
    (folder / "model.bin").write_bytes(os.urandom(1 << 20))
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)); "
        "from deploy.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-B", "-c", program, "package", str(folder), "--out", str(folder.parent / "a.tar.gz")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"error: {folder.parent}/a.tar.gz cannot be written: File too large.\nnext: Make its folder" in done.stderr
    assert not list(folder.parent.glob("a.tar.gz*"))
