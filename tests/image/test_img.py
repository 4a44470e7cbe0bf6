"""IMG-*: what the image is, before it runs. Ids: the rows of docs/contract.md."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dockerfile import copied_files, labelled_for_websockets
from tests.image.container import AS_PLATFORM, HARDENED, Container, docker

SIZE_BUDGET_MB = 600  # 527 on a base of 194; raise it when requirements.txt grows on purpose
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="session")
def config(image: str) -> dict[str, Any]:
    (facts,) = json.loads(docker("image", "inspect", image))
    return {**facts["Config"], "Os": facts["Os"], "Architecture": facts["Architecture"], "Size": facts["Size"]}


def in_image(image: str, *command: str) -> str:
    """The stdout of a program run in a fresh hardened container, without the server."""
    return docker("run", "--rm", "--network", "none", *HARDENED, "--entrypoint", command[0], image, *command[1:])


def test_img_04_architecture_fits_this_machine(config: dict[str, Any]) -> None:
    assert (config["Os"], config["Architecture"]) == ("linux", ARCHITECTURES[platform.machine()])


def test_img_05_serve_and_train_are_programs_on_path(image: str) -> None:
    """The platform's training may replace the entry point by a program; a derived image may drop it."""
    found = in_image(image, "sh", "-c", "command -v serve; command -v train")
    assert found.split() == ["/opt/program/serve", "/opt/program/train"]


def test_img_06_entry_point_is_exec_form(config: dict[str, Any]) -> None:
    assert config["Entrypoint"] == ["/opt/venv/bin/python", "-m", "container"]


def test_img_07_entry_point_is_no_init(config: dict[str, Any]) -> None:
    assert Path(config["Entrypoint"][0]).name not in {"tini", "init", "docker-init"}


def test_img_08_runs_as_root_by_default(config: dict[str, Any]) -> None:
    assert config["User"] in {"", "0", "root"}


def test_img_09_nothing_is_stored_under_opt_ml(image: str) -> None:
    assert in_image(image, "sh", "-c", "find /opt/ml 2>/dev/null || true") == ""


def test_img_10_no_nvidia_driver_is_inside(image: str) -> None:
    names = "-name 'libcuda.so.*' -o -name 'libnvidia-ml.so*'"
    assert in_image(image, "sh", "-c", f"find /usr /opt /lib {names}") == ""


def test_img_11_size_is_within_its_budget(config: dict[str, Any]) -> None:
    """Serverless allows 10 GB; each megabyte is cold start. docs/performance.md has the table."""
    assert config["Size"] < SIZE_BUDGET_MB * 1_000_000


def test_img_13_label_accepts_another_port(config: dict[str, Any]) -> None:
    assert config["Labels"]["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"


def test_img_12_and_14_claims_nothing_else_that_the_platform_would_then_use(config: dict[str, Any]) -> None:
    """A label for models side by side is a promise to serve them, as test_mme.py does; one for WebSockets too."""
    claims = {name.rpartition(".")[2] for name in config["Labels"] if name.startswith("com.amazonaws.sagemaker.")}
    for_websockets = ["bidirectional-streaming"] if labelled_for_websockets() else []
    assert claims == {"accept-bind-to-port", "multi-models", *for_websockets}
    assert config["Labels"]["com.amazonaws.sagemaker.capabilities.multi-models"] == "true"


def test_img_15_environment_names_are_valid(config: dict[str, Any]) -> None:
    names = [line.partition("=")[0] for line in config["Env"]]
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)] == []


def test_labels_tell_the_license_and_the_title(config: dict[str, Any]) -> None:
    labels = config["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.title"]
    assert {"org.opencontainers.image.source", "org.opencontainers.image.revision"} <= labels.keys()


def test_stop_signal_and_port_are_declared(config: dict[str, Any]) -> None:
    assert (config["StopSignal"], list(config["ExposedPorts"])) == ("SIGTERM", ["8080/tcp"])


def test_any_user_may_read_everything(image: str) -> None:
    """Serverless is not root: a clone made with umask 077 must not end in `Permission denied` there."""
    assert in_image(image, "find", "/opt", "!", "-type", "l", "!", "-perm", "-o+r") == ""
    assert in_image(image, "find", "/opt", "-type", "d", "!", "-perm", "-o+x") == ""


def test_no_developer_tool_is_inside(image: str) -> None:
    code = "import importlib.util as u; print([n for n in ('deploy', 'tests', 'local_test') if u.find_spec(n)])"
    assert in_image(image, "python", "-c", code) == "[]\n"


def test_nothing_of_the_repository_is_inside_but_what_the_dockerfile_names(image: str) -> None:
    """Neither deploy/ nor local_test/ nor tests/, in whatever folder of the image."""
    ours = in_image(image, "find", "/opt/program", "-type", "f", "!", "-name", "*.pyc", "-printf", "%P\\n").split()
    assert sorted(ours) == sorted(str(path) for path in copied_files() if path.name != "requirements.lock")
    names = ("deploy", "local_test", "build_and_push.sh", "serve_local.sh", "test_img.py", "deploy.toml")
    wanted = [word for name in names for word in ("-o", "-name", name)][1:]
    everywhere = f"find / -xdev {' '.join(wanted)} 2>/dev/null || true"  # not every folder may be read by any uid
    assert in_image(image, "sh", "-c", everywhere) == ""


def test_bytecode_is_there_and_cannot_go_stale(image: str) -> None:
    """Libraries' is never compared with its source (flag 1), ours by content (3), never by time (0): PEP 552."""
    code = """
import importlib.util as u, pathlib
for name in ("numpy", "spacy.language", "container.supervisor", "predictor"):
    pyc = pathlib.Path(u.cache_from_source(u.find_spec(name).origin)).read_bytes()
    print(int.from_bytes(pyc[4:8], "little"), end=" ")
"""
    assert in_image(image, "python", "-c", code) == "1 1 3 3 "


def test_pruned_libraries_still_import(image: str) -> None:
    """Their tests and debug information are removed in the build."""
    code = "import scipy.stats, sklearn.ensemble, sklearn.pipeline, spacy.lang.en, numpy.testing; print('ok')"
    assert in_image(image, "python", "-c", code) == "ok\n"


def test_another_program_runs_in_the_image(image: str) -> None:
    """`docker run IMAGE sh` works, as official images promise."""
    assert docker("run", "--rm", "--network", "none", *HARDENED, image, "echo", "hello") == "hello\n"


def test_works_from_any_working_directory(run: Callable[..., Container], model_dir: Path) -> None:
    run(model_dir=model_dir, options=(*AS_PLATFORM, "-w", "/")).wait_ready()
