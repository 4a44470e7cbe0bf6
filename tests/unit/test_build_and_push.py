"""build_and_push.sh: what it asks of docker and the AWS CLI, and what it refuses to push."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.names import MANAGED_BY
from tests.unit.shell import PROJECT_DIR, Shell

DIGEST = "sha256:" + "fedcba9876543210" * 4
ECR = "111111111111.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_stdout_is_the_image_by_digest_alone(shell: Shell) -> None:
    """deploy and CI read it; progress belongs to stderr."""
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout) == (0, f"{ECR}/sagemaker-x@{DIGEST}\n"), done.stderr


def test_tag_is_commit_and_content_and_never_latest(shell: Shell, tmp_path: Path) -> None:
    """A tree that holds more than the commit is not told as the commit."""
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(PROJECT_DIR / "build_and_push.sh", clone)
    me = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    for command in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=clone, text=True)[:12]
    shell.run(clone / "build_and_push.sh", "sagemaker-x")
    (clone / "predictor.py").touch()
    shell.run(clone / "build_and_push.sh", "sagemaker-x")
    assert shell.calls("docker", "push") == [
        f"push {ECR}/sagemaker-x:{commit}-0123456789ab",
        f"push {ECR}/sagemaker-x:{commit}-dirty-0123456789ab",
    ]


def test_the_requirements_of_an_artifact_are_added_in_a_second_build(shell: Shell, tmp_path: Path) -> None:
    (shell.docker / "buildx").touch()
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "requirements.txt").write_text("greeting\n")
    path = f"{shell.path}:{Path(sys.executable).parent}"
    done = shell.build_and_push("--model", str(tmp_path / "model"), "sagemaker-x", PATH=path)
    assert done.returncode == 0, done.stderr
    first, second = shell.calls("docker", "buildx build")
    assert first.endswith("-t sagemaker-x:build .")
    assert "--provenance=false --sbom=false" in second, "the registry's own rules hold for it too"
    wanted = "--build-arg IMAGE=sagemaker-x:build -f Dockerfile.model -t sagemaker-x:build build/model"
    assert second.endswith(f"--platform linux/amd64 {wanted}")
    assert (PROJECT_DIR / "build" / "model" / "code" / "requirements.txt").read_text() == "greeting\n"


def test_missing_repository_is_created_once(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    shell.build_and_push("sagemaker-x")
    assert len(shell.calls("aws", "ecr create-repository --repository-name sagemaker-x")) == 1


def test_region_option_wins_over_the_environment(shell: Shell) -> None:
    done = shell.build_and_push("--region", "us-west-2", "sagemaker-x", AWS_REGION="us-east-1")
    assert ".us-west-2." in done.stdout


@pytest.mark.parametrize(
    ("words", "missing", "told"),
    [
        ([], "region", "no AWS region: give --region, or set AWS_REGION"),
        (["--platform", "arm64"], "", "--platform arm64 is neither linux/amd64 nor linux/arm64"),
        (["--model", "nowhere/model.tar.gz"], "", "--model nowhere/model.tar.gz is not there; give a model.tar.gz"),
        ([], "credentials", "Unable to locate credentials"),
        (["--instance-type", "m5.large"], "", "--instance-type m5.large is not a type such as ml.m5.large"),
    ],
)
def test_what_is_wrong_already_costs_no_build(words: list[str], missing: str, told: str, shell: Shell) -> None:
    if missing == "region":
        (shell.aws / "region").unlink()
    if missing == "credentials":
        (shell.aws / "no-credentials").touch()
    done = shell.build_and_push(*words, "sagemaker-x")
    assert (done.returncode, done.stdout, told in done.stderr) == (1, "", True), done.stderr
    assert shell.calls("docker", "build") == []


def test_other_ecr_error_is_shown_and_nothing_is_created(shell: Shell) -> None:
    """AccessDenied must not be taken for a missing repository."""
    (shell.aws / "sagemaker-x").touch()
    done = shell.build_and_push("sagemaker-y", "--region", "bad region")
    assert done.returncode == 1
    assert "gave no repository sagemaker-y" in done.stderr
    assert shell.calls("docker", "push") == []


def test_login_comes_right_before_each_push_attempt(shell: Shell) -> None:
    (shell.docker / "failures").write_text("1")
    done = shell.build_and_push("sagemaker-x")
    order = [line.split()[0] for line in shell.calls("docker", "") if line.split()[0] in ("login", "push")]
    assert (done.returncode, order) == (0, ["login", "push", "login", "push"])
    assert (shell.docker / "password").read_text() == "secret\n"
    assert "push 1 of 4 failed" in done.stderr


def test_password_is_never_an_argument(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    assert shell.calls("docker", "login") == [f"login --username AWS --password-stdin {ECR}"]


@pytest.mark.parametrize(
    ("instance_type", "platform"),
    [
        ("ml.m5.large", "linux/amd64"),
        ("ml.g5.xlarge", "linux/amd64"),
        ("ml.g4dn.xlarge", "linux/amd64"),
        ("ml.inf2.xlarge", "linux/amd64"),
        ("ml.p4d.24xlarge", "linux/amd64"),
        ("ml.c6i.metal-48xl", "linux/amd64"),
        ("ml.m6g.large", "linux/arm64"),
        ("ml.m6gd.large", "linux/arm64"),
        ("ml.c7gn.16xlarge", "linux/arm64"),
        ("ml.r8g.4xlarge", "linux/arm64"),
        ("ml.p6e-gb200.36xlarge", "linux/arm64"),
    ],
)
def test_instance_type_decides_the_platform(instance_type: str, platform: str, shell: Shell) -> None:
    (shell.docker / "platform").write_text(platform)
    done = shell.build_and_push("--instance-type", instance_type, "sagemaker-x")
    assert done.returncode == 0, done.stderr
    assert f" --platform {platform} " in shell.calls("docker", "build ")[0]


def test_image_of_another_architecture_is_not_pushed(shell: Shell) -> None:
    """It would end as an exec format error on the endpoint, after half an hour."""
    (shell.docker / "platform").write_text("linux/arm64\n")
    done = shell.build_and_push("sagemaker-x")
    assert done.returncode == 1
    assert "the image is linux/arm64, not linux/amd64" in done.stderr
    assert shell.calls("docker", "push") == []


def test_image_on_a_stand_in_base_is_not_pushed(shell: Shell) -> None:
    (shell.docker / "labels").write_text("true")
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, shell.calls("docker", "push")) == (1, [])


def test_buildx_is_told_to_make_no_attestations(shell: Shell) -> None:
    """They turn the image into an OCI index, which CreateModel refuses."""
    (shell.docker / "buildx").touch()
    shell.build_and_push("sagemaker-x", "--", "--no-cache")
    (build,) = shell.calls("docker", "buildx build")
    assert "buildx build --provenance=false --sbom=false --output type=docker --platform linux/amd64 " in build
    assert build.endswith(" -t sagemaker-x:build --no-cache .")


def test_pushed_oci_manifest_is_an_error(shell: Shell) -> None:
    (shell.docker / "media_type").write_text("application/vnd.oci.image.manifest.v1+json")
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "SageMaker takes no application/vnd.oci.image.manifest.v1+json" in done.stderr


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ('[\n\t{\n\t\t"Descriptor": {}\n\t}\n]\n', "SageMaker takes no index of several"),
        ("", "could not be read back to be checked"),
    ],
)
def test_what_is_no_single_image_in_the_registry_is_an_error(held: str, told: str, shell: Shell) -> None:
    (shell.docker / "manifest").write_text(held)
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout, told in done.stderr) == (1, "", True), done.stderr


def test_architecture_is_read_back_from_the_registry(shell: Shell) -> None:
    (shell.docker / "pushed").write_text("linux/arm64")
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "for linux/arm64, not linux/amd64" in done.stderr


def test_variant_of_a_platform_is_the_platform(shell: Shell) -> None:
    (shell.docker / "platform").write_text("linux/arm64")
    assert shell.build_and_push("--platform", "linux/arm64/v8", "sagemaker-x").returncode == 0


def test_missing_right_to_a_lifecycle_rule_is_a_note(shell: Shell) -> None:
    (shell.aws / "no-lifecycle").touch()
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, "needs ecr:PutLifecyclePolicy" in done.stderr) == (0, True)


def test_repository_is_marked_as_ours(shell: Shell) -> None:
    shell.build_and_push("sagemaker-x")
    (created,) = shell.calls("aws", "ecr create-repository")
    assert f"--tags Key={MANAGED_BY[0]},Value={MANAGED_BY[1]} " in created


def test_without_the_right_to_tag_the_repository_is_made_all_the_same(shell: Shell) -> None:
    """The managed SageMaker policy has no ecr:TagResource."""
    (shell.aws / "no-tags").touch()
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, "that needs ecr:TagResource" in done.stderr) == (0, True)
    assert (shell.aws / "sagemaker-x.lifecycle").exists()


def test_what_a_killed_run_left_undone_in_our_repository_is_done_by_the_next(shell: Shell) -> None:
    (shell.aws / "sagemaker-x").touch()
    (shell.aws / "sagemaker-x.tag").write_text(f"{MANAGED_BY[1]}\n")
    done = shell.build_and_push("sagemaker-x")
    assert (done.returncode, "note" in done.stderr) == (0, False)
    assert [(shell.aws / f"sagemaker-x.{each}").exists() for each in ("scanned", "lifecycle")] == [True, True]


def test_a_repository_of_somebody_else_is_left_as_it_is_and_the_commands_are_told(shell: Shell) -> None:
    (shell.aws / "sagemaker-x").touch()
    done = shell.build_and_push("sagemaker-x")
    assert done.returncode == 0
    assert shell.calls("aws", "ecr put") == []
    for command in ("put-image-scanning-configuration", "put-lifecycle-policy"):
        assert f"lacks this: aws ecr {command} --repository-name sagemaker-x --region eu-central-1 --" in done.stderr


def test_name_without_sagemaker_is_pushed_with_a_note(shell: Shell) -> None:
    done = shell.build_and_push("my-model")
    assert done.returncode == 0
    assert "note: the managed SageMaker policy reaches only repositories whose name contains sagemaker" in done.stderr


@pytest.mark.parametrize("name", ["Upper", "with:tag", "a", "-x", "a//b", "a b"])
def test_impossible_name_is_refused_before_the_build(name: str, shell: Shell) -> None:
    assert shell.build_and_push(name).returncode == 1
    assert shell.calls("docker", "build ") == []


def test_no_login_pushes_to_the_given_registry_without_aws(shell: Shell) -> None:
    done = shell.build_and_push("--no-login", "sagemaker-x", ECR_REGISTRY="registry.example:5000")
    assert done.stdout == f"registry.example:5000/sagemaker-x@{DIGEST}\n"
    assert shell.calls("aws", "") == []


def test_source_label_holds_no_token(shell: Shell, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(PROJECT_DIR / "build_and_push.sh", clone)
    for command in (["init", "-q"], ["remote", "add", "origin", "https://user:token@git.example/me/model.git"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    shell.run(clone / "build_and_push.sh", "sagemaker-x")
    assert " --build-arg SOURCE=https://git.example/me/model.git " in shell.calls("docker", "build ")[0]
