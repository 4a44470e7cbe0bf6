"""Debian's docker-registry on loopback: in the place of ECR, or open to all. Used by the tests that push for real.

ECR's has the same user, and the password that the double gives; it tells its pushes to the double, which then describes
the images.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from local_test.conformance.ports import free_port
from tests.system.client import wait_until

LOGIN = ("AWS", "123456789012-auth-token")
"""Of GetAuthorizationToken in moto."""
HASHED = "$2b$05$FemqErhbJ8xq2SDJFDW4jOiaRy0ohZ4NDpvjhLOvF139oZITm2sY."

CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "{host}"}}
"""
OF_ECR = """auth: {{htpasswd: {{realm: ecr, path: {folder}/htpasswd}}}}
notifications: {{endpoints: [{{name: double, url: "{tell}", timeout: 2s, threshold: 3, backoff: 1s}}]}}
"""
SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
ANY = f"{SCHEMA_2}, application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


@contextmanager
def like_ecr(folder: Path, tell: str) -> Iterator[str]:
    """Host and port of an empty registry that wants a login. tell: where pushes are told."""
    (folder / "htpasswd").write_text(f"{LOGIN[0]}:{HASHED}\n")
    with _serving(folder, OF_ECR.format(folder=folder, tell=tell), 401) as host:
        yield host


@contextmanager
def without_login(folder: Path) -> Iterator[str]:
    """Host and port of an empty registry."""
    with _serving(folder, "", 200) as host:
        yield host


@contextmanager
def _serving(folder: Path, more: str, ready: int) -> Iterator[str]:
    """docker takes it without TLS on loopback. ready: the status of its first address once it serves."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
    host = f"127.0.0.1:{free_port()}"
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, host=host) + more)
    with subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: status(host) == ready, 10, "the registry answers")
        yield host
        process.terminate()


def status(host: str) -> int:
    """Of the registry's first address, without a login; 0 where nobody answers."""
    try:
        return requests.get(f"http://{host}/v2/", timeout=2).status_code
    except requests.ConnectionError:
        return 0


def manifest(host: str, name: str, reference: str) -> tuple[str, Any]:
    """Media type and content of what the registry holds, when any type would do."""
    reply = ask(host, f"{name}/manifests/{reference}", Accept=ANY)
    return reply.headers["Content-Type"], reply.json()


def architecture(host: str, name: str, reference: str) -> str:
    config = manifest(host, name, reference)[1]["config"]["digest"]
    return str(ask(host, f"{name}/blobs/{config}").json()["architecture"])


def ask(host: str, path: str, **headers: str) -> requests.Response:
    return requests.get(f"http://{host}/v2/{path}", headers=headers, auth=LOGIN, timeout=10)
